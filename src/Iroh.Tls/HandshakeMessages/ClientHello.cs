using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>
/// ClientHello (RFC 8446 §4.1.2), as far as a server here looks at it. Lists are the content of their vectors, never empty on
/// the wire, so that an empty span means that the extension is missing. Lives as long as the message that it was read from.
/// </summary>
internal readonly ref struct ClientHello
{
    internal ReadOnlySpan<byte> Random { get; private init; }

    internal ReadOnlySpan<byte> CipherSuites { get; private init; }

    internal ReadOnlySpan<byte> SupportedVersions { get; private init; }

    internal ReadOnlySpan<byte> SupportedGroups { get; private init; }

    internal ReadOnlySpan<byte> SignatureAlgorithms { get; private init; }

    internal ReadOnlySpan<byte> ApplicationProtocols { get; private init; }

    internal ReadOnlySpan<byte> ClientCertificateTypes { get; private init; }

    internal ReadOnlySpan<byte> ServerCertificateTypes { get; private init; }

    internal bool HasKeyShare { get; private init; }

    /// <summary>The client's X25519 public key; empty if it sent none for this group.</summary>
    internal ReadOnlySpan<byte> X25519KeyShare { get; private init; }

    /// <summary>The client's P-256 public key, 65 bytes; empty if it sent none for this group.</summary>
    internal ReadOnlySpan<byte> Secp256r1KeyShare { get; private init; }

    internal bool HasTransportParameters { get; private init; }

    internal ReadOnlySpan<byte> TransportParameters { get; private init; }

    /// <summary>Reads a message body. Unknown extensions and those without a use here are skipped.</summary>
    internal static TlsFailure? Read(ReadOnlySpan<byte> body, out ClientHello hello)
    {
        hello = default;
        var reader = new TlsReader(body);
        if (!reader.TryReadUInt16(out _)
            || !reader.TryReadBytes(32, out ReadOnlySpan<byte> random)
            || !reader.TryReadVector8(out ReadOnlySpan<byte> sessionId) || sessionId.Length > 32
            || !reader.TryReadVector16(out ReadOnlySpan<byte> suites) || suites.IsEmpty || suites.Length % 2 != 0
            || !reader.TryReadVector8(out ReadOnlySpan<byte> compressions) || compressions.IsEmpty)
        {
            return Unreadable();
        }

        // A message without extensions is one of an older version.
        if (reader.IsEmpty)
            return new TlsFailure(TlsAlert.ProtocolVersion, "ClientHello without extensions");
        if (!reader.TryReadVector16(out ReadOnlySpan<byte> block) || !reader.IsEmpty)
            return Unreadable();

        // DEVIATES: RFC 9001 §8.4 would have PROTOCOL_VIOLATION for a session id; the alert says more.
        if (!sessionId.IsEmpty)
            return new TlsFailure(TlsAlert.IllegalParameter, "QUIC clients send no session id");
        if (compressions is not [CodePoint.NullCompression])
            return new TlsFailure(TlsAlert.IllegalParameter, "only null compression is allowed");
        return ReadExtensions(block, random, suites, out hello);
    }

    /// <summary>The client's key share of a group; empty if it sent none.</summary>
    internal ReadOnlySpan<byte> KeyShare(KeyExchangeGroup group) => group switch
    {
        KeyExchangeGroup.X25519 => X25519KeyShare,
        KeyExchangeGroup.Secp256r1 => Secp256r1KeyShare,
        _ => default,
    };

    /// <summary>Writes the message, with its header, that this library's clients send.</summary>
    /// <param name="writer">Receives it.</param>
    /// <param name="configuration">Gives the server's name, protocols, suites, groups and transport parameters.</param>
    /// <param name="random">32 bytes.</param>
    /// <param name="group">The group of the one key share.</param>
    /// <param name="publicKey">That key share.</param>
    /// <param name="cookie">From a HelloRetryRequest, otherwise empty.</param>
    internal static void Write(
        TlsWriter writer,
        TlsConfiguration configuration,
        ReadOnlySpan<byte> random,
        KeyExchangeGroup group,
        ReadOnlySpan<byte> publicKey,
        ReadOnlySpan<byte> cookie)
    {
        int message = writer.BeginMessage(HandshakeType.ClientHello);
        writer.WriteUInt16(CodePoint.LegacyVersion);
        writer.WriteBytes(random);
        writer.WriteByte(0); // RFC 9001 §8.4: no session id, as there is no middlebox compatibility mode.
        int suites = writer.BeginVector(2);
        foreach (CipherSuite suite in configuration.CipherSuites)
            writer.WriteUInt16((ushort)suite);
        writer.EndVector(suites, 2);
        writer.WriteBytes([1, CodePoint.NullCompression]);

        int extensions = writer.BeginVector(2);
        WriteExtension(writer, ExtensionType.SupportedVersions, [2, CodePoint.Tls13 >> 8, CodePoint.Tls13 & 0xff]);
        WriteSupportedGroups(writer, configuration.KeyExchangeGroups);
        if (configuration.ServerName is { } serverName)
        {
            WriteSignatureAlgorithms(writer, SignatureSchemes.OfCertificates, SignatureSchemes.OnlyInsideOfCertificates);
            WriteServerName(writer, serverName);
        }
        else
        {
            WriteSignatureAlgorithms(writer, SignatureSchemes.OfRawPublicKeys, []);

            // RFC 7250 §3: in a ClientHello the types are lists; the raw public key is all there is.
            WriteExtension(writer, ExtensionType.ClientCertificateType, [1, CodePoint.RawPublicKey]);
            WriteExtension(writer, ExtensionType.ServerCertificateType, [1, CodePoint.RawPublicKey]);
        }

        WriteKeyShare(writer, group, publicKey);
        WriteApplicationProtocols(writer, configuration.ApplicationProtocols);
        WriteExtension(writer, ExtensionType.QuicTransportParameters, configuration.TransportParameters.Span);
        if (!cookie.IsEmpty)
        {
            int extension = writer.BeginExtension(ExtensionType.Cookie);
            int vector = writer.BeginVector(2);
            writer.WriteBytes(cookie);
            writer.EndVector(vector, 2);
            writer.EndExtension(extension);
        }

        writer.EndVector(extensions, 2);
        writer.EndMessage(message);
    }

    private static TlsFailure? ReadExtensions(
        ReadOnlySpan<byte> block, ReadOnlySpan<byte> random, ReadOnlySpan<byte> suites, out ClientHello hello)
    {
        hello = default;
        if (ExtensionReader.Open(block, out ExtensionReader extensions) is { } failure)
            return failure;
        ReadOnlySpan<byte> versions = default, groups = default, schemes = default, protocols = default;
        ReadOnlySpan<byte> clientTypes = default, serverTypes = default, parameters = default;
        ReadOnlySpan<byte> x25519 = default, secp256r1 = default;
        bool hasKeyShare = false, hasParameters = false, hasPsk = false, hasPskModes = false;
        while (extensions.TryReadNext(out ushort type, out ReadOnlySpan<byte> data))
        {
            bool readable = true;
            switch (type)
            {
                case ExtensionType.SupportedVersions:
                    readable = ReadList8(data, 2, out versions);
                    break;
                case ExtensionType.SupportedGroups:
                    readable = ReadList16(data, out groups);
                    break;
                case ExtensionType.SignatureAlgorithms:
                    readable = ReadList16(data, out schemes);
                    break;
                case ExtensionType.ApplicationLayerProtocolNegotiation:
                    readable = ReadProtocols(data, out protocols);
                    break;
                case ExtensionType.ClientCertificateType:
                    readable = ReadList8(data, 1, out clientTypes);
                    break;
                case ExtensionType.ServerCertificateType:
                    readable = ReadList8(data, 1, out serverTypes);
                    break;
                case ExtensionType.KeyShare:
                    hasKeyShare = true;
                    if (ReadKeyShares(data, out x25519, out secp256r1) is { } shareFailure)
                        return shareFailure;
                    break;
                case ExtensionType.QuicTransportParameters:
                    hasParameters = true;
                    parameters = data;
                    break;
                case ExtensionType.PskKeyExchangeModes:
                    hasPskModes = ReadList8(data, 1, out _);
                    readable = hasPskModes;
                    break;
                case ExtensionType.PreSharedKey:
                    hasPsk = true;
                    if (!extensions.IsAtEnd)
                        return new TlsFailure(TlsAlert.IllegalParameter, "pre_shared_key is not the last extension");
                    break;
            }

            if (!readable)
                return Unreadable();
        }

        // RFC 8446 §4.2.9. The offered tickets themselves are ignored: this server issues none, so they are not its own.
        if (hasPsk && !hasPskModes)
            return new TlsFailure(TlsAlert.MissingExtension, "pre_shared_key without psk_key_exchange_modes");
        hello = new ClientHello
        {
            Random = random,
            CipherSuites = suites,
            SupportedVersions = versions,
            SupportedGroups = groups,
            SignatureAlgorithms = schemes,
            ApplicationProtocols = protocols,
            ClientCertificateTypes = clientTypes,
            ServerCertificateTypes = serverTypes,
            HasKeyShare = hasKeyShare,
            X25519KeyShare = x25519,
            Secp256r1KeyShare = secp256r1,
            HasTransportParameters = hasParameters,
            TransportParameters = parameters,
        };
        return null;
    }

    /// <summary>Whether a list of two-byte values holds <paramref name="value"/>.</summary>
    internal static bool Contains(ReadOnlySpan<byte> list, ushort value)
    {
        for (; list.Length >= 2; list = list[2..])
        {
            if (BinaryPrimitives.ReadUInt16BigEndian(list) == value)
                return true;
        }

        return false;
    }

    private static bool ReadList8(ReadOnlySpan<byte> data, int itemLength, out ReadOnlySpan<byte> list)
    {
        var reader = new TlsReader(data);
        return reader.TryReadVector8(out list) && reader.IsEmpty && !list.IsEmpty && list.Length % itemLength == 0;
    }

    private static bool ReadList16(ReadOnlySpan<byte> data, out ReadOnlySpan<byte> list)
    {
        var reader = new TlsReader(data);
        return reader.TryReadVector16(out list) && reader.IsEmpty && !list.IsEmpty && list.Length % 2 == 0;
    }

    // RFC 7301 §3.1: a list of names, none of them empty.
    private static bool ReadProtocols(ReadOnlySpan<byte> data, out ReadOnlySpan<byte> protocols)
    {
        var reader = new TlsReader(data);
        if (!reader.TryReadVector16(out protocols) || !reader.IsEmpty || protocols.IsEmpty)
            return false;
        var names = new TlsReader(protocols);
        while (!names.IsEmpty)
        {
            if (!names.TryReadVector8(out ReadOnlySpan<byte> name) || name.IsEmpty)
                return false;
        }

        return true;
    }

    // RFC 8446 §4.2.8: an empty list is legal and asks for a HelloRetryRequest.
    private static TlsFailure? ReadKeyShares(
        ReadOnlySpan<byte> data, out ReadOnlySpan<byte> x25519, out ReadOnlySpan<byte> secp256r1)
    {
        x25519 = default;
        secp256r1 = default;
        var reader = new TlsReader(data);
        if (!reader.TryReadVector16(out ReadOnlySpan<byte> list) || !reader.IsEmpty)
            return Unreadable();
        var shares = new TlsReader(list);
        while (!shares.IsEmpty)
        {
            if (!shares.TryReadUInt16(out ushort group) || !shares.TryReadVector16(out ReadOnlySpan<byte> key) || key.IsEmpty)
                return Unreadable();
            var known = (KeyExchangeGroup)group;
            if (!known.IsKnown())
                continue;
            ref ReadOnlySpan<byte> share = ref known == KeyExchangeGroup.X25519 ? ref x25519 : ref secp256r1;
            if (key.Length != known.ShareLength() || !share.IsEmpty)
                return new TlsFailure(TlsAlert.IllegalParameter, $"the {known} key share has a wrong length or comes twice");
            share = key;
        }

        return null;
    }

    private static void WriteExtension(TlsWriter writer, ushort type, ReadOnlySpan<byte> data)
    {
        int start = writer.BeginExtension(type);
        writer.WriteBytes(data);
        writer.EndExtension(start);
    }

    private static void WriteSupportedGroups(TlsWriter writer, IReadOnlyList<KeyExchangeGroup> groups)
    {
        int extension = writer.BeginExtension(ExtensionType.SupportedGroups);
        int list = writer.BeginVector(2);
        foreach (KeyExchangeGroup group in groups)
            writer.WriteUInt16((ushort)group);
        writer.EndVector(list, 2);
        writer.EndExtension(extension);
    }

    private static void WriteSignatureAlgorithms(
        TlsWriter writer, ReadOnlySpan<SignatureScheme> schemes, ReadOnlySpan<ushort> schemesOfIssuers)
    {
        int extension = writer.BeginExtension(ExtensionType.SignatureAlgorithms);
        int list = writer.BeginVector(2);
        foreach (SignatureScheme scheme in schemes)
            writer.WriteUInt16((ushort)scheme);
        foreach (ushort scheme in schemesOfIssuers)
            writer.WriteUInt16(scheme);
        writer.EndVector(list, 2);
        writer.EndExtension(extension);
    }

    // RFC 6066 §3: a list of one name, without the dot at its end; an IP address is no name.
    private static void WriteServerName(TlsWriter writer, string serverName)
    {
        if (IPAddress.TryParse(serverName, out _))
            return;
        int extension = writer.BeginExtension(ExtensionType.ServerName);
        int list = writer.BeginVector(2);
        writer.WriteByte(CodePoint.HostName);
        int name = writer.BeginVector(2);
        writer.WriteBytes(Encoding.ASCII.GetBytes(serverName.TrimEnd('.')));
        writer.EndVector(name, 2);
        writer.EndVector(list, 2);
        writer.EndExtension(extension);
    }

    private static void WriteKeyShare(TlsWriter writer, KeyExchangeGroup group, ReadOnlySpan<byte> publicKey)
    {
        int extension = writer.BeginExtension(ExtensionType.KeyShare);
        int shares = writer.BeginVector(2);
        writer.WriteUInt16((ushort)group);
        int key = writer.BeginVector(2);
        writer.WriteBytes(publicKey);
        writer.EndVector(key, 2);
        writer.EndVector(shares, 2);
        writer.EndExtension(extension);
    }

    private static void WriteApplicationProtocols(TlsWriter writer, IReadOnlyList<ReadOnlyMemory<byte>> protocols)
    {
        int extension = writer.BeginExtension(ExtensionType.ApplicationLayerProtocolNegotiation);
        int list = writer.BeginVector(2);
        foreach (ReadOnlyMemory<byte> protocol in protocols)
        {
            writer.WriteByte((byte)protocol.Length);
            writer.WriteBytes(protocol.Span);
        }

        writer.EndVector(list, 2);
        writer.EndExtension(extension);
    }

    private static TlsFailure Unreadable() => new(TlsAlert.DecodeError, "unreadable ClientHello");
}
