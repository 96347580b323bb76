using System.Diagnostics.CodeAnalysis;

namespace Iroh.Dns.Messages;

/// <summary>A DNS message (RFC 1035 §4). Immutable; its text form on the wire is that of <see cref="TryRead"/> and <see cref="ToBytes(int)"/>.</summary>
public sealed record DnsMessage
{
    /// <summary>The length of the header in bytes: no message is shorter.</summary>
    public const int HeaderLength = 12;

    /// <summary>The longest message in bytes: TCP's length prefix has 16 bits.</summary>
    public const int LengthMax = 65_535;

    /// <summary>The largest UDP payload in bytes towards those who do not say otherwise (RFC 1035 §4.2.1).</summary>
    public const int UdpLengthMax = 512;

    /// <summary>Matches answers to queries; 0 in multicast DNS.</summary>
    public ushort Id { get; init; }

    /// <summary>Whether this is an answer.</summary>
    public bool IsResponse { get; init; }

    /// <summary>The kind of query, 0 to 15; 0 is the usual one.</summary>
    public byte Opcode { get; init; }

    /// <summary>Whether whoever answers owns the zone.</summary>
    public bool IsAuthoritative { get; init; }

    /// <summary>Whether the answer did not fit: ask again over TCP.</summary>
    public bool IsTruncated { get; init; }

    /// <summary>Whether the server is asked to find the answer elsewhere.</summary>
    public bool RecursionDesired { get; init; }

    /// <summary>Whether the server would.</summary>
    public bool RecursionAvailable { get; init; }

    /// <summary>The lower 4 bits of the response code; see <see cref="FullResponseCode"/>.</summary>
    public DnsResponseCode ResponseCode { get; init; }

    /// <summary>What is asked.</summary>
    public IReadOnlyList<DnsQuestion> Questions { get; init; } = [];

    /// <summary>The answers.</summary>
    public IReadOnlyList<DnsRecord> Answers { get; init; } = [];

    /// <summary>Records that tell who has authority.</summary>
    public IReadOnlyList<DnsRecord> Authorities { get; init; } = [];

    /// <summary>Records that may help, except the extension record.</summary>
    public IReadOnlyList<DnsRecord> Additionals { get; init; } = [];

    /// <summary>The extension record; null if there is none.</summary>
    public Edns? Edns { get; init; }

    /// <summary>The response code with the extension record's upper bits.</summary>
    public DnsResponseCode FullResponseCode => (DnsResponseCode)(((Edns?.ExtendedCode ?? 0) << 4) | (int)ResponseCode);

    /// <summary>Reads a message; bytes behind it are ignored.</summary>
    /// <param name="bytes">At most <see cref="LengthMax"/> bytes; what is kept of them is copied.</param>
    /// <param name="message">The message.</param>
    /// <returns>False if the bytes are not one: a part is cut off, a name loops, a known type's data is malformed, or there are two extension records.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DnsMessage? message) => DnsMessageReader.TryRead(bytes, out message);

    /// <summary>
    /// Writes the message with compressed names. Where it would be longer than <paramref name="lengthMax"/>, only header, questions
    /// and extension record are written, with the bit that says so.
    /// </summary>
    /// <exception cref="InvalidOperationException">Not even those fit.</exception>
    public byte[] ToBytes(int lengthMax = LengthMax)
    {
        byte[] bytes = DnsMessageWriter.Write(this);
        if (bytes.Length <= lengthMax)
            return bytes;
        bytes = DnsMessageWriter.Write(this with { IsTruncated = true, Answers = [], Authorities = [], Additionals = [] });
        return bytes.Length <= lengthMax
            ? bytes
            : throw new InvalidOperationException($"The questions alone have {bytes.Length} bytes; at most {lengthMax} are allowed.");
    }
}
