using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Iroh.Dns.Messages;

/// <summary>
/// Reads one message. Every count and length of the wire is believed only as far as there are bytes: each question takes at
/// least 5 and each record 11 of at most 65,535 bytes, which bounds the lists; a name's pointers lead strictly backwards and the
/// name has at most 255 bytes, which bounds the work for it.
/// </summary>
internal ref struct DnsMessageReader
{
    private const int PointerMark = 0xc0;

    // A name of 255 bytes may be spelled by 127 pointers, one a label; a further one points to a pointer, which nobody needs.
    private const int PointersMax = 128;

    private readonly ReadOnlySpan<byte> _bytes;
    private int _position;

    private DnsMessageReader(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    private readonly int Remaining => _bytes.Length - _position;

    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DnsMessage? message)
    {
        message = null;
        return bytes.Length is >= DnsMessage.HeaderLength and <= DnsMessage.LengthMax && new DnsMessageReader(bytes).TryReadMessage(out message);
    }

    private bool TryReadMessage([NotNullWhen(true)] out DnsMessage? message)
    {
        message = null;
        ushort id = ReadHeaderField(0), flags = ReadHeaderField(1);
        _position = DnsMessage.HeaderLength;
        var questions = new List<DnsQuestion>();
        for (int i = ReadHeaderField(2); i > 0; i--)
        {
            if (!TryReadName(out DomainName? name) || !TryReadUInt16(out ushort type) || !TryReadUInt16(out ushort @class))
                return false;
            questions.Add(new DnsQuestion(name, (DnsType)type, @class));
        }

        Edns? edns = null;
        var sections = new List<DnsRecord>[3];
        for (int i = 0; i < sections.Length; i++)
        {
            if (!TryReadSection(ReadHeaderField(3 + i), ref edns, out sections[i]))
                return false;
        }

        message = new DnsMessage
        {
            Id = id,
            IsResponse = (flags & 0x8000) != 0,
            Opcode = (byte)((flags >> 11) & 0xf),
            IsAuthoritative = (flags & 0x0400) != 0,
            IsTruncated = (flags & 0x0200) != 0,
            RecursionDesired = (flags & 0x0100) != 0,
            RecursionAvailable = (flags & 0x0080) != 0,
            ResponseCode = (DnsResponseCode)(flags & 0xf),
            Questions = questions,
            Answers = sections[0],
            Authorities = sections[1],
            Additionals = sections[2],
            Edns = edns,
        };
        return true;
    }

    private readonly ushort ReadHeaderField(int index) => BinaryPrimitives.ReadUInt16BigEndian(_bytes[(index * 2)..]);

    private bool TryReadSection(int count, ref Edns? edns, out List<DnsRecord> records)
    {
        records = [];
        for (; count > 0; count--)
        {
            if (!TryReadRecord(out DnsRecord? record))
                return false;
            if (record.Type != DnsType.OPT)
            {
                records.Add(record);
                continue;
            }

            // RFC 6891 §6.1.1: a second one is a format error.
            if (edns is not null)
                return false;
            edns = Edns.FromRecord(record);
        }

        return true;
    }

    private bool TryReadRecord([NotNullWhen(true)] out DnsRecord? record)
    {
        record = null;
        if (!TryReadName(out DomainName? name)
            || !TryReadUInt16(out ushort type)
            || !TryReadUInt16(out ushort @class)
            || !TryReadUInt32(out uint timeToLive)
            || !TryReadUInt16(out ushort length)
            || length > Remaining)
            return false;
        int end = _position + length;
        DnsData? data = ReadData((DnsType)type, end);
        if (data is null || _position != end)
            return false;
        record = new DnsRecord(name, (DnsType)type, @class, timeToLive, data);
        return true;
    }

    /// <summary>The data up to <paramref name="end"/>, which is within the message; null if they are malformed.</summary>
    private DnsData? ReadData(DnsType type, int end)
    {
        int length = end - _position;
        switch (type)
        {
            case DnsType.A when length == 4:
            case DnsType.AAAA when length == 16:
                return new AddressData(new IPAddress(Take(length)));
            case DnsType.A or DnsType.AAAA:
                return null;
            case DnsType.NS or DnsType.CNAME or DnsType.PTR:
                return TryReadName(out DomainName? name) ? new NameData(name) : null;
            case DnsType.TXT:
                return ReadText(end);
            case DnsType.SRV:
                return TryReadUInt16(out ushort priority)
                    && TryReadUInt16(out ushort weight)
                    && TryReadUInt16(out ushort port)
                    && TryReadName(out DomainName? target)
                    ? new ServiceData(priority, weight, port, target)
                    : null;
            case DnsType.SOA:
                return ReadStartOfAuthority();
            default:
                return new RawData(Take(length).ToArray());
        }
    }

    private TextData? ReadText(int end)
    {
        var strings = new List<ReadOnlyMemory<byte>>();
        while (_position < end)
        {
            int length = _bytes[_position];
            if (length > end - _position - 1)
                return null;
            _position++;
            strings.Add(Take(length).ToArray());
        }

        return strings.Count == 0 ? null : new TextData(strings);
    }

    private StartOfAuthorityData? ReadStartOfAuthority() =>
        TryReadName(out DomainName? primary)
        && TryReadName(out DomainName? mailbox)
        && TryReadUInt32(out uint serial)
        && TryReadUInt32(out uint refresh)
        && TryReadUInt32(out uint retry)
        && TryReadUInt32(out uint expire)
        && TryReadUInt32(out uint minimum)
            ? new StartOfAuthorityData(primary, mailbox, serial, refresh, retry, expire, minimum)
            : null;

    private bool TryReadName([NotNullWhen(true)] out DomainName? name)
    {
        name = null;
        Span<byte> wire = stackalloc byte[DomainName.LengthMax];
        int written = 0, position = _position, pointers = 0, lowest = _position;
        while (true)
        {
            if (position >= _bytes.Length)
                return false;
            int length = _bytes[position];
            if (length >= PointerMark)
            {
                if (position + 1 >= _bytes.Length)
                    return false;
                if (pointers++ == 0)
                    _position = position + 2;
                position = ((length & ~PointerMark) << 8) | _bytes[position + 1];
                if (position >= lowest || pointers > PointersMax)
                    return false;
                lowest = position;
                continue;
            }

            // 01 and 10 in the upper bits are no labels (RFC 6891 §5). The root's byte must still fit.
            if (length > DomainName.LabelLengthMax
                || length >= _bytes.Length - position
                || written + length + 1 > DomainName.LengthMax - (length == 0 ? 0 : 1))
                return false;
            _bytes.Slice(position, length + 1).CopyTo(wire[written..]);
            written += length + 1;
            position += length + 1;
            if (length == 0)
                break;
        }

        if (pointers == 0)
            _position = position;
        name = DomainName.FromCheckedWire(wire[..written]);
        return true;
    }

    private bool TryReadUInt16(out ushort value)
    {
        value = 0;
        if (Remaining < 2)
            return false;
        value = BinaryPrimitives.ReadUInt16BigEndian(Take(2));
        return true;
    }

    private bool TryReadUInt32(out uint value)
    {
        value = 0;
        if (Remaining < 4)
            return false;
        value = BinaryPrimitives.ReadUInt32BigEndian(Take(4));
        return true;
    }

    /// <summary>The next bytes, of which the caller knows that they are there.</summary>
    private ReadOnlySpan<byte> Take(int length)
    {
        ReadOnlySpan<byte> taken = _bytes.Slice(_position, length);
        _position += length;
        return taken;
    }
}
