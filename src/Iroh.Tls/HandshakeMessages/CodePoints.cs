namespace Iroh.Tls.HandshakeMessages;

/// <summary>Extension types (RFC 8446 §4.2, RFC 6066 §3, RFC 7250 §3, RFC 9001 §8.2).</summary>
internal static class ExtensionType
{
    internal const ushort ServerName = 0;
    internal const ushort SupportedGroups = 10;
    internal const ushort SignatureAlgorithms = 13;
    internal const ushort ApplicationLayerProtocolNegotiation = 16;
    internal const ushort ClientCertificateType = 19;
    internal const ushort ServerCertificateType = 20;
    internal const ushort PreSharedKey = 41;
    internal const ushort SupportedVersions = 43;
    internal const ushort Cookie = 44;
    internal const ushort PskKeyExchangeModes = 45;
    internal const ushort KeyShare = 51;
    internal const ushort QuicTransportParameters = 57;

    /// <summary>
    /// The failure for an extension in a message of the server where it may not be (RFC 8446 §4.2): one kind if this library's
    /// ClientHello offers it, another if not.
    /// </summary>
    internal static TlsFailure Misplaced(ushort type, string message)
    {
        bool offered = type is SupportedGroups or SignatureAlgorithms or ApplicationLayerProtocolNegotiation
            or ClientCertificateType or ServerCertificateType or SupportedVersions or KeyShare or QuicTransportParameters;
        return offered
            ? new TlsFailure(TlsAlert.IllegalParameter, $"extension {type} has no place in {message}")
            : new TlsFailure(TlsAlert.UnsupportedExtension, $"extension {type} in {message} was not offered");
    }
}

/// <summary>The values of small registries that are spoken here.</summary>
internal static class CodePoint
{
    internal const ushort LegacyVersion = 0x0303;
    internal const ushort Tls13 = 0x0304;
    internal const byte X509Certificate = 0;
    internal const byte RawPublicKey = 2;
    internal const byte HostName = 0;
    internal const byte NullCompression = 0;
}
