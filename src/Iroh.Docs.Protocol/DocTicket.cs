using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base;
using Iroh.Base.Serialization;

namespace Iroh.Docs;

/// <summary>
/// A document to hand around: what the receiver may do with it, and who has it. Text: <c>doc</c> and lower-case base 32 of a zero byte, the
/// capability and the nodes as iroh-docs writes them since 0.94. The layout before that begins the same; it is recognised and refused by name.
/// Immutable.
/// </summary>
public sealed class DocTicket : IEquatable<DocTicket>
{
    /// <summary>The longest text that is read: room for <see cref="NodesMax"/> nodes with a relay and a dozen addresses each.</summary>
    public const int TextLengthMax = 64 * 1024;

    /// <summary>The most nodes of a ticket; syncing starts with every one of them.</summary>
    public const int NodesMax = 64;

    private const string Prefix = "doc";
    private const byte Variant = 0;

    /// <summary>A ticket.</summary>
    /// <param name="capability">With a secret, whoever reads the ticket may write.</param>
    /// <param name="nodes">1 to <see cref="NodesMax"/> endpoints that have the document.</param>
    public DocTicket(DocumentCapability capability, params IEnumerable<EndpointAddress> nodes)
    {
        ArgumentNullException.ThrowIfNull(capability);
        Capability = capability;
        Nodes = [.. nodes];
        ArgumentOutOfRangeException.ThrowIfZero(Nodes.Length, nameof(nodes));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Nodes.Length, NodesMax, nameof(nodes));
    }

    /// <summary>The document, and the right to read or write it.</summary>
    public DocumentCapability Capability { get; }

    /// <summary>Who has it; at least one.</summary>
    public ImmutableArray<EndpointAddress> Nodes { get; }

    /// <summary>Reads the text form.</summary>
    /// <exception cref="FormatException">The text is not such a ticket; the message says what is wrong with it.</exception>
    public static DocTicket Parse(string text) =>
        TryParse(text, out DocTicket? ticket, out string? problem) ? ticket : throw new FormatException(problem);

    /// <summary>Reads the text form. The prefix is lower case; the rest may have either case.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out DocTicket? ticket) => TryParse(text, out ticket, out _);

    /// <summary>Reads the text form, or says in words what is wrong with it.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out DocTicket? ticket, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        ticket = null;
        if (text.Length > TextLengthMax)
            problem = $"A ticket has at most {TextLengthMax} characters; this text has {text.Length}.";
        else if (!text.StartsWith(Prefix, StringComparison.Ordinal))
            problem = $"This is not a document ticket: it does not start with '{Prefix}'.";
        else if (!Base32.TryDecode(text.AsSpan(Prefix.Length), out byte[] bytes))
            problem = "This ticket is damaged: after its prefix it is not base 32. Was it cut off or changed on the way?";
        else
            TryFromBytes(bytes, out ticket, out problem);
        return ticket is not null;
    }

    /// <summary>The text form.</summary>
    public override string ToString()
    {
        var writer = new PostcardWriter();
        writer.WriteByte(Variant);
        Capability.Write(writer);
        writer.WriteVarint((ulong)Nodes.Length);
        foreach (EndpointAddress node in Nodes)
            EndpointAddressCodec.Write(writer, node);
        return Prefix + Base32.Encode(writer.Written);
    }

    /// <inheritdoc/>
    public bool Equals(DocTicket? other) => other is not null && Capability.Equals(other.Capability) && Nodes.SequenceEqual(other.Nodes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DocTicket);

    /// <inheritdoc/>
    public override int GetHashCode() => Capability.GetHashCode();

    private static void TryFromBytes(ReadOnlySpan<byte> bytes, out DocTicket? ticket, out string? problem)
    {
        const string damaged = "This ticket is damaged: its bytes are not a document and its nodes. Was it cut off or changed on the way?";
        ticket = null;
        problem = null;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadUInt32(out uint variant) || variant != Variant || !DocumentCapability.TryRead(ref reader, out DocumentCapability? capability))
        {
            problem = damaged;
            return;
        }

        ReadOnlySpan<byte> rest = bytes[reader.Position..];
        bool read = TryReadNodes(rest, out List<EndpointAddress> nodes, out int length);
        // Postcard readers ignore what follows. An old ticket with nothing but ids looks like a new one with a few zeros behind it.
        if ((!read || length < rest.Length) && OldDocTicketNodes.Fill(rest))
            problem = "This ticket was made by iroh-docs 0.93 or older, which wrote the nodes of a ticket in another form. Ask for one from a newer version.";
        else if (!read)
            problem = damaged;
        else if (nodes.Count == 0)
            problem = "This ticket names no node that has the document. Ask for one that does.";
        else
            ticket = new DocTicket(capability, nodes);
    }

    private static bool TryReadNodes(ReadOnlySpan<byte> bytes, out List<EndpointAddress> nodes, out int length)
    {
        nodes = [];
        length = 0;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadUInt64(out ulong count) || count > NodesMax)
            return false;
        length = reader.Position;
        for (ulong i = 0; i < count; i++)
        {
            if (!EndpointAddressCodec.TryRead(bytes[length..], out EndpointAddress? node, out int nodeLength))
                return false;
            nodes.Add(node);
            length += nodeLength;
        }

        return true;
    }
}
