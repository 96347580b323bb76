using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls;

/// <summary>The state machine of one side, fed with whole messages in the order of the CRYPTO stream.</summary>
internal interface IHandshake
{
    /// <summary>The level at which the next message must come.</summary>
    EncryptionLevel ReadLevel { get; }

    /// <summary>The random of the ClientHello, 32 bytes; empty at a server that has not seen it.</summary>
    ReadOnlyMemory<byte> ClientRandom { get; }

    /// <summary>Whether the handshake is complete (RFC 9001 §4.1.1).</summary>
    bool IsComplete { get; }

    /// <summary>Takes the next message and appends what follows from it to the session's outputs.</summary>
    /// <param name="type">The first byte of the message, not checked yet.</param>
    /// <param name="message">Header and body; only valid during the call.</param>
    TlsFailure? HandleMessage(HandshakeType type, ReadOnlySpan<byte> message);
}
