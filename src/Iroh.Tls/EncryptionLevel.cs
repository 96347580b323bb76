namespace Iroh.Tls;

/// <summary>The keys that protect a packet and the CRYPTO bytes in it (RFC 9001 §2.1), in the order in which they appear.</summary>
public enum EncryptionLevel
{
    /// <summary>Keys derived from the client's first Destination Connection ID.</summary>
    Initial,

    /// <summary>Keys of the handshake traffic secrets.</summary>
    Handshake,

    /// <summary>1-RTT: keys of the application traffic secrets.</summary>
    Application,
}
