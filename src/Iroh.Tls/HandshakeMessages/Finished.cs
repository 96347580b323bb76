using System.Security.Cryptography;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>Finished (RFC 8446 §4.4.4).</summary>
internal static class Finished
{
    /// <summary>Compares a message body with the verify_data that belongs there, in constant time.</summary>
    internal static TlsFailure? Read(ReadOnlySpan<byte> body, ReadOnlySpan<byte> expected)
    {
        if (body.Length != expected.Length)
            return new TlsFailure(TlsAlert.DecodeError, "Finished of a wrong length");
        return CryptographicOperations.FixedTimeEquals(body, expected)
            ? null
            : new TlsFailure(TlsAlert.DecryptError, "Finished does not fit the handshake");
    }

    /// <summary>Writes the message with its header.</summary>
    internal static void Write(TlsWriter writer, ReadOnlySpan<byte> verifyData)
    {
        int message = writer.BeginMessage(HandshakeType.Finished);
        writer.WriteBytes(verifyData);
        writer.EndMessage(message);
    }
}
