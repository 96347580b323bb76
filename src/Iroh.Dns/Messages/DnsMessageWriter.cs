using System.Buffers.Binary;
using System.Text;

namespace Iroh.Dns.Messages;

/// <summary>Writes one message; every name whose end has been written before points there (RFC 1035 §4.1.4).</summary>
internal sealed class DnsMessageWriter
{
    // A pointer has 14 bits.
    private const int PointerOffsetMax = 0x3fff;

    // Ends of names, as Latin-1 text of their wire form: exact in case, so that a name is read back as it was written.
    private readonly Dictionary<string, int> _suffixes = [];

    private byte[] _bytes = new byte[DnsMessage.UdpLengthMax];
    private int _length;

    private DnsMessageWriter()
    {
    }

    public static byte[] Write(DnsMessage message)
    {
        var writer = new DnsMessageWriter();
        writer.WriteMessage(message);
        return writer._bytes[..writer._length];
    }

    private void WriteMessage(DnsMessage message)
    {
        IReadOnlyList<DnsRecord> additionals = message.Edns is { } edns ? [.. message.Additionals, edns.ToRecord()] : message.Additionals;
        WriteUInt16(message.Id);
        WriteUInt16(Flags(message));
        WriteUInt16(checked((ushort)message.Questions.Count));
        WriteUInt16(checked((ushort)message.Answers.Count));
        WriteUInt16(checked((ushort)message.Authorities.Count));
        WriteUInt16(checked((ushort)additionals.Count));
        foreach (DnsQuestion question in message.Questions)
        {
            WriteName(question.Name, mayPoint: true);
            WriteUInt16((ushort)question.Type);
            WriteUInt16(question.Class);
        }

        foreach (DnsRecord record in message.Answers.Concat(message.Authorities).Concat(additionals))
            WriteRecord(record);
    }

    private static ushort Flags(DnsMessage message) => (ushort)(
        (message.IsResponse ? 0x8000 : 0)
        | ((message.Opcode & 0xf) << 11)
        | (message.IsAuthoritative ? 0x0400 : 0)
        | (message.IsTruncated ? 0x0200 : 0)
        | (message.RecursionDesired ? 0x0100 : 0)
        | (message.RecursionAvailable ? 0x0080 : 0)
        | ((int)message.ResponseCode & 0xf));

    private void WriteRecord(DnsRecord record)
    {
        WriteName(record.Name, mayPoint: true);
        WriteUInt16((ushort)record.Type);
        WriteUInt16(record.Class);
        WriteUInt32(record.TimeToLive);

        // The data go to the end of the buffer before their length is known; it is filled in afterwards.
        int lengthAt = _length;
        WriteUInt16(0);
        WriteData(record.Data);
        int length = _length - lengthAt - 2;
        if (length > ushort.MaxValue)
            throw new InvalidOperationException($"The {record.Type} record of {record.Name} has {length} bytes of data; at most {ushort.MaxValue} can be written.");
        BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(lengthAt), (ushort)length);
    }

    private void WriteData(DnsData data)
    {
        switch (data)
        {
            case AddressData address:
                WriteBytes(address.Address.GetAddressBytes());
                break;
            case NameData name:
                WriteName(name.Name, mayPoint: true);
                break;
            case TextData text:
                foreach (ReadOnlyMemory<byte> part in text.Strings)
                {
                    Extend(1)[0] = checked((byte)part.Length);
                    WriteBytes(part.Span);
                }

                break;
            case ServiceData service:
                WriteUInt16(service.Priority);
                WriteUInt16(service.Weight);
                WriteUInt16(service.Port);
                // RFC 2782: the target is not compressed.
                WriteName(service.Target, mayPoint: false);
                break;
            case StartOfAuthorityData authority:
                WriteName(authority.PrimaryServer, mayPoint: true);
                WriteName(authority.Mailbox, mayPoint: true);
                WriteUInt32(authority.Serial);
                WriteUInt32(authority.Refresh);
                WriteUInt32(authority.Retry);
                WriteUInt32(authority.Expire);
                WriteUInt32(authority.Minimum);
                break;
            case RawData raw:
                WriteBytes(raw.Bytes.Span);
                break;
        }
    }

    private void WriteName(DomainName name, bool mayPoint)
    {
        string text = Encoding.Latin1.GetString(name.Wire);
        for (int i = 0; text[i] != 0; i += 1 + text[i])
        {
            string suffix = text[i..];
            if (mayPoint && _suffixes.TryGetValue(suffix, out int offset))
            {
                WriteUInt16((ushort)(0xc000 | offset));
                return;
            }

            if (_length <= PointerOffsetMax)
                _suffixes.TryAdd(suffix, _length);
            WriteBytes(name.Wire.Slice(i, 1 + text[i]));
        }

        Extend(1)[0] = 0;
    }

    private void WriteUInt16(ushort value) => BinaryPrimitives.WriteUInt16BigEndian(Extend(2), value);

    private void WriteUInt32(uint value) => BinaryPrimitives.WriteUInt32BigEndian(Extend(4), value);

    private void WriteBytes(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Extend(bytes.Length));

    private Span<byte> Extend(int count)
    {
        if (count > _bytes.Length - _length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + count));
        _length += count;
        return _bytes.AsSpan(_length - count, count);
    }
}
