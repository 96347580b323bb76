namespace Iroh.Tls.HandshakeMessages;

/// <summary>EncryptedExtensions (RFC 8446 §4.3.1). Lives as long as the message that it was read from.</summary>
internal readonly ref struct EncryptedExtensions
{
    internal ReadOnlySpan<byte> ApplicationProtocol { get; private init; }

    internal ReadOnlySpan<byte> TransportParameters { get; private init; }

    /// <summary>
    /// Reads a message body and checks that it answers everything that is mandatory here and nothing that was not offered.
    /// </summary>
    /// <param name="body">Without the header.</param>
    /// <param name="usesRawPublicKeys">Whether the client offered raw public keys, and a server name if not.</param>
    /// <param name="message">Valid if the result is null.</param>
    internal static TlsFailure? Read(ReadOnlySpan<byte> body, bool usesRawPublicKeys, out EncryptedExtensions message)
    {
        message = default;
        var reader = new TlsReader(body);
        if (!reader.TryReadVector16(out ReadOnlySpan<byte> block) || !reader.IsEmpty)
            return Unreadable();
        if (ExtensionReader.Open(block, out ExtensionReader extensions) is { } failure)
            return failure;
        ReadOnlySpan<byte> protocol = default, parameters = default, clientType = default, serverType = default;
        bool hasParameters = false;
        while (extensions.TryReadNext(out ushort type, out ReadOnlySpan<byte> data))
        {
            switch (type)
            {
                case ExtensionType.ApplicationLayerProtocolNegotiation:
                    if (!ReadProtocol(data, out protocol))
                        return Unreadable();
                    break;
                case ExtensionType.QuicTransportParameters:
                    hasParameters = true;
                    parameters = data;
                    break;
                case ExtensionType.ClientCertificateType when usesRawPublicKeys:
                    clientType = data;
                    break;
                case ExtensionType.ServerCertificateType when usesRawPublicKeys:
                    serverType = data;
                    break;
                case ExtensionType.ServerName when !usesRawPublicKeys:
                    // RFC 6066 §3: a server that has used the name says so, with nothing in it.
                    if (!data.IsEmpty)
                        return Unreadable();
                    break;
                case ExtensionType.SupportedGroups:
                    // RFC 8446 §4.2.7: the server's wishes for a later connection, of no use here.
                    break;
                default:
                    return ExtensionType.Misplaced(type, "EncryptedExtensions");
            }
        }

        if (protocol.IsEmpty)
            return new TlsFailure(TlsAlert.NoApplicationProtocol, "the server chose no application protocol");
        if (!hasParameters)
            return new TlsFailure(TlsAlert.MissingExtension, "the server sent no transport parameters");

        // RFC 7250 §3: one type each, not a list.
        if (usesRawPublicKeys && (clientType is not [CodePoint.RawPublicKey] || serverType is not [CodePoint.RawPublicKey]))
            return new TlsFailure(TlsAlert.HandshakeFailure, "the server does not use raw public keys");
        message = new EncryptedExtensions { ApplicationProtocol = protocol, TransportParameters = parameters };
        return null;
    }

    /// <summary>Writes the message with its header.</summary>
    /// <param name="writer">Receives it.</param>
    /// <param name="usesRawPublicKeys">Whether both sides show raw public keys; otherwise the server an X.509 certificate.</param>
    /// <param name="applicationProtocol">The chosen ALPN name.</param>
    /// <param name="transportParameters">The server's.</param>
    internal static void Write(
        TlsWriter writer, bool usesRawPublicKeys, ReadOnlySpan<byte> applicationProtocol, ReadOnlySpan<byte> transportParameters)
    {
        int message = writer.BeginMessage(HandshakeType.EncryptedExtensions);
        int extensions = writer.BeginVector(2);
        int extension = writer.BeginExtension(ExtensionType.ApplicationLayerProtocolNegotiation);
        int list = writer.BeginVector(2);
        writer.WriteByte((byte)applicationProtocol.Length);
        writer.WriteBytes(applicationProtocol);
        writer.EndVector(list, 2);
        writer.EndExtension(extension);
        if (usesRawPublicKeys)
        {
            WriteCertificateType(writer, ExtensionType.ClientCertificateType);
            WriteCertificateType(writer, ExtensionType.ServerCertificateType);
        }

        extension = writer.BeginExtension(ExtensionType.QuicTransportParameters);
        writer.WriteBytes(transportParameters);
        writer.EndExtension(extension);
        writer.EndVector(extensions, 2);
        writer.EndMessage(message);
    }

    private static void WriteCertificateType(TlsWriter writer, ushort type)
    {
        int extension = writer.BeginExtension(type);
        writer.WriteByte(CodePoint.RawPublicKey);
        writer.EndExtension(extension);
    }

    // RFC 7301 §3.1: the server's list has exactly one name.
    private static bool ReadProtocol(ReadOnlySpan<byte> data, out ReadOnlySpan<byte> protocol)
    {
        protocol = default;
        var reader = new TlsReader(data);
        if (!reader.TryReadVector16(out ReadOnlySpan<byte> list) || !reader.IsEmpty)
            return false;
        var names = new TlsReader(list);
        return names.TryReadVector8(out protocol) && names.IsEmpty && !protocol.IsEmpty;
    }

    private static TlsFailure Unreadable() => new(TlsAlert.DecodeError, "unreadable EncryptedExtensions");
}
