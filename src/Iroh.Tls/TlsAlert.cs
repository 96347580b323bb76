namespace Iroh.Tls;

/// <summary>
/// The alerts that a handshake can end with (RFC 8446 §6.2). QUIC sends them as 0x100 plus the value (RFC 9001 §4.8).
/// </summary>
public static class TlsAlert
{
    /// <summary>A message that has no place here, or at this encryption level.</summary>
    public const byte UnexpectedMessage = 10;

    /// <summary>Nothing both sides can do: no common suite, group, signature scheme or certificate type.</summary>
    public const byte HandshakeFailure = 40;

    /// <summary>A certificate that is no usable raw public key, or not the expected one.</summary>
    public const byte BadCertificate = 42;

    /// <summary>A certificate outside of its time.</summary>
    public const byte CertificateExpired = 45;

    /// <summary>A certificate that is not accepted for another reason, as one for another host.</summary>
    public const byte CertificateUnknown = 46;

    /// <summary>A field that is readable but forbidden.</summary>
    public const byte IllegalParameter = 47;

    /// <summary>A certificate below no root that is trusted.</summary>
    public const byte UnknownCa = 48;

    /// <summary>Bytes that cannot be read.</summary>
    public const byte DecodeError = 50;

    /// <summary>A signature or a Finished that does not fit.</summary>
    public const byte DecryptError = 51;

    /// <summary>The peer does not speak TLS 1.3.</summary>
    public const byte ProtocolVersion = 70;

    /// <summary>An extension that is mandatory here is missing.</summary>
    public const byte MissingExtension = 109;

    /// <summary>An answer to an extension that was not offered.</summary>
    public const byte UnsupportedExtension = 110;

    /// <summary>The client has shown no certificate.</summary>
    public const byte CertificateRequired = 116;

    /// <summary>No common application protocol.</summary>
    public const byte NoApplicationProtocol = 120;
}
