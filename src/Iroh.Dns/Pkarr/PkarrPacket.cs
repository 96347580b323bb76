using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Dns.Messages;

namespace Iroh.Dns.Pkarr;

/// <summary>
/// DNS records signed by the endpoint that they are about (pkarr; the signature is that of a mutable item of BEP 44). Every
/// instance has a valid signature and a readable message. Immutable.
/// </summary>
public sealed class PkarrPacket
{
    /// <summary>The most bytes of the DNS message.</summary>
    public const int MessageLengthMax = 1000;

    /// <summary>The most bytes of the form without the id, which is the body of HTTP requests.</summary>
    public const int PayloadLengthMax = HeaderLength + MessageLengthMax;

    /// <summary>The label above the id under which an endpoint's addresses are.</summary>
    public const string RecordLabel = "_iroh";

    // What iroh gives its records: short, as addresses change, and caches ask again soon.
    private const uint RecordTimeToLiveSeconds = 30;

    private const int TimestampLength = 8;
    private const int HeaderLength = Ed25519.SignatureLength + TimestampLength;

    // Signature, timestamp, DNS message.
    private readonly byte[] _payload;

    private PkarrPacket(EndpointId id, byte[] payload, DnsMessage message)
    {
        Id = id;
        _payload = payload;
        Message = message;
    }

    /// <summary>Who signed.</summary>
    public EndpointId Id { get; }

    /// <summary>When, by the signer's clock: microseconds since 1970. Later packets have larger ones.</summary>
    public ulong Timestamp => BinaryPrimitives.ReadUInt64BigEndian(_payload.AsSpan(Ed25519.SignatureLength));

    /// <summary><see cref="Timestamp"/> as a date; the last date there is where it does not fit.</summary>
    public DateTimeOffset SignedAt => Timestamp > (ulong)((DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond)
        ? DateTimeOffset.MaxValue
        : DateTimeOffset.UnixEpoch.AddTicks((long)Timestamp * TimeSpan.TicksPerMicrosecond);

    /// <summary>The signed records.</summary>
    public DnsMessage Message { get; }

    /// <summary>The form without the id: signature, timestamp, DNS message; at most <see cref="PayloadLengthMax"/> bytes.</summary>
    public ReadOnlyMemory<byte> Payload => _payload;

    /// <summary>The name under which the records of an endpoint are in its packet: its id in z-base-32.</summary>
    public static DomainName RootOf(EndpointId id) => DomainName.Root.Prepend(id.ToZBase32());

    /// <summary>Signs an endpoint's record. Where it would be too long, addresses are left out, the last ones first.</summary>
    /// <param name="key">The key of the record's endpoint.</param>
    /// <param name="timestamp">Microseconds since 1970; larger than that of every packet before.</param>
    /// <param name="record">What to publish.</param>
    /// <exception cref="ArgumentException">The record is another endpoint's.</exception>
    public static PkarrPacket Sign(SecretKey key, ulong timestamp, EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(record);
        if (record.Id != key.PublicKey)
            throw new ArgumentException($"The record of {record.Id.ToShortString()} cannot be signed with the key of {key.PublicKey.ToShortString()}.", nameof(record));
        DomainName name = RootOf(record.Id).Prepend(RecordLabel);
        List<string> attributes = [.. record.ToAttributes()];
        int keptAtEnd = record.UserData is null ? 0 : 1;
        while (true)
        {
            var message = new DnsMessage
            {
                IsResponse = true,
                Answers = [.. attributes.Select(attribute => DnsRecord.Text(name, RecordTimeToLiveSeconds, attribute))],
            };
            byte[] bytes = message.ToBytes();
            if (bytes.Length <= MessageLengthMax)
                return Sign(key, timestamp, bytes);
            attributes.RemoveAt(attributes.Count - 1 - keptAtEnd);
        }
    }

    /// <summary>Signs a DNS message.</summary>
    /// <param name="key">Whose packet it becomes.</param>
    /// <param name="timestamp">Microseconds since 1970; larger than that of every packet before.</param>
    /// <param name="message">At most <see cref="MessageLengthMax"/> bytes.</param>
    /// <exception cref="ArgumentException">The bytes are too many or no DNS message.</exception>
    public static PkarrPacket Sign(SecretKey key, ulong timestamp, ReadOnlySpan<byte> message)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (message.Length > MessageLengthMax || !DnsMessage.TryRead(message, out DnsMessage? read))
            throw new ArgumentException($"A pkarr packet signs a DNS message of at most {MessageLengthMax} bytes; these {message.Length} are not one.", nameof(message));
        byte[] payload = new byte[HeaderLength + message.Length];
        key.Sign(SignedBytes(timestamp, message)).CopyTo(payload, 0);
        BinaryPrimitives.WriteUInt64BigEndian(payload.AsSpan(Ed25519.SignatureLength), timestamp);
        message.CopyTo(payload.AsSpan(HeaderLength));
        return new PkarrPacket(key.PublicKey, payload, read);
    }

    /// <summary>Reads the form without the id and checks the signature.</summary>
    /// <param name="id">Whose packet it must be.</param>
    /// <param name="payload">Signature, timestamp, DNS message; copied.</param>
    /// <param name="packet">The packet.</param>
    /// <param name="problem">What is wrong with the bytes; null if nothing is.</param>
    public static bool TryRead(
        EndpointId id,
        ReadOnlySpan<byte> payload,
        [NotNullWhen(true)] out PkarrPacket? packet,
        [NotNullWhen(false)] out string? problem)
    {
        packet = null;
        if (payload.Length is < HeaderLength + DnsMessage.HeaderLength or > PayloadLengthMax)
        {
            problem = $"A signed packet has {HeaderLength + DnsMessage.HeaderLength} to {PayloadLengthMax} bytes; this has {payload.Length}.";
            return false;
        }

        ReadOnlySpan<byte> message = payload[HeaderLength..];
        ulong timestamp = BinaryPrimitives.ReadUInt64BigEndian(payload[Ed25519.SignatureLength..]);
        if (!id.Verify(SignedBytes(timestamp, message), payload[..Ed25519.SignatureLength]))
        {
            problem = $"The packet's signature is not that of {id.ToZBase32()}.";
            return false;
        }

        if (!DnsMessage.TryRead(message, out DnsMessage? read))
        {
            problem = "The signature is valid, but the signed bytes are not a DNS message.";
            return false;
        }

        packet = new PkarrPacket(id, payload.ToArray(), read);
        problem = null;
        return true;
    }

    /// <summary>Whether this packet replaces <paramref name="other"/>: it was signed later or, at the same time, has the larger bytes.</summary>
    public bool IsNewerThan(PkarrPacket other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Timestamp != other.Timestamp
            ? Timestamp > other.Timestamp
            : _payload.AsSpan().SequenceCompareTo(other._payload) > 0;
    }

    /// <summary>The endpoint's record among the signed ones; without addresses if there is none.</summary>
    public EndpointRecord ToRecord() => Message.ToEndpointRecord(Id, RootOf(Id).Prepend(RecordLabel));

    private static byte[] SignedBytes(ulong timestamp, ReadOnlySpan<byte> message) =>
        [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"3:seqi{timestamp}e1:v{message.Length}:")), .. message];
}
