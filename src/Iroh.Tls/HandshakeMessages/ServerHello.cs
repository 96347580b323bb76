namespace Iroh.Tls.HandshakeMessages;

/// <summary>
/// ServerHello and, told apart by its random, HelloRetryRequest (RFC 8446 §4.1.3, §4.1.4). Lives as long as the message that
/// it was read from.
/// </summary>
internal readonly ref struct ServerHello
{
    internal bool IsRetryRequest { get; private init; }

    internal CipherSuite Suite { get; private init; }

    /// <summary>The group of the server's key share; in a HelloRetryRequest the one it wants a share of, null if any is good.</summary>
    internal KeyExchangeGroup? Group { get; private init; }

    /// <summary>The server's public key, of the length of its group; empty in a HelloRetryRequest.</summary>
    internal ReadOnlySpan<byte> KeyShare { get; private init; }

    /// <summary>What a HelloRetryRequest wants back; empty if it has no cookie.</summary>
    internal ReadOnlySpan<byte> Cookie { get; private init; }

    // SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
    private static ReadOnlySpan<byte> RetryRequestRandom =>
    [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
        0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ];

    /// <summary>Reads a message body and checks everything that does not depend on what the client offered.</summary>
    internal static TlsFailure? Read(ReadOnlySpan<byte> body, out ServerHello hello)
    {
        hello = default;
        var reader = new TlsReader(body);
        if (!reader.TryReadUInt16(out ushort version)
            || !reader.TryReadBytes(32, out ReadOnlySpan<byte> random)
            || !reader.TryReadVector8(out ReadOnlySpan<byte> sessionId) || sessionId.Length > 32
            || !reader.TryReadUInt16(out ushort suite)
            || !reader.TryReadByte(out byte compression))
        {
            return Unreadable();
        }

        if (reader.IsEmpty)
            return new TlsFailure(TlsAlert.ProtocolVersion, "the server does not speak TLS 1.3");
        if (!reader.TryReadVector16(out ReadOnlySpan<byte> block) || !reader.IsEmpty)
            return Unreadable();
        if (version != CodePoint.LegacyVersion || !sessionId.IsEmpty || compression != CodePoint.NullCompression)
            return new TlsFailure(TlsAlert.IllegalParameter, "ServerHello with a forbidden version, session id or compression");
        return ReadExtensions(block, random.SequenceEqual(RetryRequestRandom), (CipherSuite)suite, out hello);
    }

    /// <summary>Writes a ServerHello with its header.</summary>
    internal static void Write(
        TlsWriter writer, ReadOnlySpan<byte> random, CipherSuite suite, KeyExchangeGroup group, ReadOnlySpan<byte> publicKey)
    {
        int message = BeginHello(writer, random, suite);
        int extensions = writer.BeginVector(2);
        WriteSupportedVersions(writer);
        int share = writer.BeginExtension(ExtensionType.KeyShare);
        writer.WriteUInt16((ushort)group);
        int key = writer.BeginVector(2);
        writer.WriteBytes(publicKey);
        writer.EndVector(key, 2);
        writer.EndExtension(share);
        writer.EndVector(extensions, 2);
        writer.EndMessage(message);
    }

    /// <summary>Writes a HelloRetryRequest, with its header, that asks for a key share of a group.</summary>
    internal static void WriteRetryRequest(TlsWriter writer, CipherSuite suite, KeyExchangeGroup group)
    {
        int message = BeginHello(writer, RetryRequestRandom, suite);
        int extensions = writer.BeginVector(2);
        WriteSupportedVersions(writer);
        int share = writer.BeginExtension(ExtensionType.KeyShare);
        writer.WriteUInt16((ushort)group);
        writer.EndExtension(share);
        writer.EndVector(extensions, 2);
        writer.EndMessage(message);
    }

    private static TlsFailure? ReadExtensions(
        ReadOnlySpan<byte> block, bool isRetryRequest, CipherSuite suite, out ServerHello hello)
    {
        hello = default;
        if (ExtensionReader.Open(block, out ExtensionReader extensions) is { } failure)
            return failure;
        ReadOnlySpan<byte> keyShare = default, cookie = default;
        bool hasVersion = false, hasKeyShare = false;
        while (extensions.TryReadNext(out ushort type, out ReadOnlySpan<byte> data))
        {
            switch (type)
            {
                case ExtensionType.SupportedVersions:
                    hasVersion = true;
                    if (data.Length != 2)
                        return Unreadable();
                    if (!data.SequenceEqual((ReadOnlySpan<byte>)[CodePoint.Tls13 >> 8, CodePoint.Tls13 & 0xff]))
                        return new TlsFailure(TlsAlert.IllegalParameter, "the server chose a version that was not offered");
                    break;
                case ExtensionType.KeyShare:
                    hasKeyShare = true;
                    keyShare = data;
                    break;
                case ExtensionType.Cookie when isRetryRequest:
                    var reader = new TlsReader(data);
                    if (!reader.TryReadVector16(out cookie) || cookie.IsEmpty || !reader.IsEmpty)
                        return Unreadable();
                    break;
                default:
                    return ExtensionType.Misplaced(type, "ServerHello");
            }
        }

        if (!hasVersion)
            return new TlsFailure(TlsAlert.ProtocolVersion, "the server does not speak TLS 1.3");
        if (!isRetryRequest && !hasKeyShare)
            return new TlsFailure(TlsAlert.MissingExtension, "ServerHello without key_share");
        KeyExchangeGroup? group = null;
        if (hasKeyShare && ReadKeyShare(keyShare, isRetryRequest, out group, out keyShare) is { } shareFailure)
            return shareFailure;
        hello = new ServerHello
        {
            IsRetryRequest = isRetryRequest,
            Suite = suite,
            Group = group,
            KeyShare = keyShare,
            Cookie = cookie,
        };
        return null;
    }

    // RFC 8446 §4.2.8: a HelloRetryRequest has the group alone.
    private static TlsFailure? ReadKeyShare(
        ReadOnlySpan<byte> data, bool isRetryRequest, out KeyExchangeGroup? group, out ReadOnlySpan<byte> key)
    {
        var reader = new TlsReader(data);
        group = null;
        key = default;
        if (!reader.TryReadUInt16(out ushort value)
            || (!isRetryRequest && !reader.TryReadVector16(out key))
            || !reader.IsEmpty)
        {
            return Unreadable();
        }

        group = (KeyExchangeGroup)value;
        return isRetryRequest || (key.Length == group.Value.ShareLength() && !key.IsEmpty)
            ? null
            : new TlsFailure(TlsAlert.IllegalParameter, "the server's key share is of no group that was offered, or has a wrong length");
    }

    private static int BeginHello(TlsWriter writer, ReadOnlySpan<byte> random, CipherSuite suite)
    {
        int message = writer.BeginMessage(HandshakeType.ServerHello);
        writer.WriteUInt16(CodePoint.LegacyVersion);
        writer.WriteBytes(random);
        writer.WriteByte(0); // The echo of an empty session id.
        writer.WriteUInt16((ushort)suite);
        writer.WriteByte(CodePoint.NullCompression);
        return message;
    }

    private static void WriteSupportedVersions(TlsWriter writer)
    {
        int extension = writer.BeginExtension(ExtensionType.SupportedVersions);
        writer.WriteUInt16(CodePoint.Tls13);
        writer.EndExtension(extension);
    }

    private static TlsFailure Unreadable() => new(TlsAlert.DecodeError, "unreadable ServerHello");
}
