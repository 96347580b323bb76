using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Base;

/// <summary>
/// An <see cref="EndpointAddress"/> as one string to hand around: <c>endpoint</c> followed by lower-case base 32 of its bytes.
/// Compatible with iroh 1.0 in both directions.
/// </summary>
public sealed class EndpointTicket : IEquatable<EndpointTicket>
{
    private const string Prefix = "endpoint";
    private const byte Variant = 0;

    /// <summary>The longest text that is read. A ticket with 30 addresses and three relays stays below 1,000 characters.</summary>
    public const int MaxTextLength = 64 * 1024;

    /// <summary>Wraps an address.</summary>
    public EndpointTicket(EndpointAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Address = address;
    }

    /// <summary>Who the ticket leads to, and where.</summary>
    public EndpointAddress Address { get; }

    /// <summary>Reads the text form.</summary>
    /// <exception cref="FormatException">The text is not a ticket; the message says what is wrong with it.</exception>
    public static EndpointTicket Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out EndpointTicket? ticket, out string? problem) ? ticket : throw new FormatException(problem);
    }

    /// <summary>Reads the text form. The prefix is lower case; the rest may have either case.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out EndpointTicket? ticket) => TryParse(text, out ticket, out _);

    /// <summary>Reads the text form, or says in words what is wrong with it.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out EndpointTicket? ticket, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        ticket = null;
        if (text.Length > MaxTextLength)
            problem = $"A ticket has at most {MaxTextLength} characters; this text has {text.Length}.";
        else if (!text.StartsWith(Prefix, StringComparison.Ordinal))
            problem = $"This is not an endpoint ticket: it does not start with '{Prefix}'.";
        else if (!Base32.TryDecode(text.AsSpan(Prefix.Length), out byte[] bytes))
            problem = "This ticket is damaged: after its prefix it is not base 32. Was it cut off or changed on the way?";
        else if (!TryFromBytes(bytes, out ticket))
            problem = "This ticket is damaged: its bytes are not an endpoint address. Was it cut off or changed on the way?";
        else
            problem = null;
        return ticket is not null;
    }

    /// <summary>Reads the byte form. Bytes after the address are ignored, as iroh does.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out EndpointTicket? ticket)
    {
        ticket = null;
        if (bytes.IsEmpty || bytes[0] != Variant || !EndpointAddressCodec.TryRead(bytes[1..], out EndpointAddress? address))
            return false;
        ticket = new EndpointTicket(address);
        return true;
    }

    /// <summary>The byte form: the variant byte 0, then the address.</summary>
    public byte[] ToBytes()
    {
        var writer = new PostcardWriter();
        writer.WriteByte(Variant);
        EndpointAddressCodec.Write(writer, Address);
        return writer.ToArray();
    }

    /// <inheritdoc/>
    public bool Equals(EndpointTicket? other) => other is not null && Address.Equals(other.Address);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as EndpointTicket);

    /// <inheritdoc/>
    public override int GetHashCode() => Address.GetHashCode();

    /// <summary>The text form.</summary>
    public override string ToString() => Prefix + Base32.Encode(ToBytes());
}
