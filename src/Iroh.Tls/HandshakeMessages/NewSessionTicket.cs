namespace Iroh.Tls.HandshakeMessages;

/// <summary>NewSessionTicket (RFC 8446 §4.6.1), which is read to see that it can be read, and then dropped.</summary>
internal static class NewSessionTicket
{
    /// <summary>Checks the form of a message body.</summary>
    internal static TlsFailure? Read(ReadOnlySpan<byte> body)
    {
        var reader = new TlsReader(body);
        if (!reader.TryReadBytes(8, out _) // ticket_lifetime, ticket_age_add
            || !reader.TryReadVector8(out _)
            || !reader.TryReadVector16(out ReadOnlySpan<byte> ticket) || ticket.IsEmpty
            || !reader.TryReadVector16(out ReadOnlySpan<byte> block)
            || !reader.IsEmpty)
        {
            return new TlsFailure(TlsAlert.DecodeError, "unreadable NewSessionTicket");
        }

        return ExtensionReader.Open(block, out _);
    }
}
