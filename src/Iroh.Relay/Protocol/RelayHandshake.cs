using System.Text;
using Iroh.Base;
using Iroh.Base.Serialization;
using Iroh.Cryptography;

namespace Iroh.Relay.Protocol;

/// <summary>
/// The handshake that follows the WebSocket upgrade (iroh-relay protos/handshake.rs): the relay sends a challenge, the client signs it
/// with the key that its id is, the relay confirms or denies. A client has to take a confirmation without a challenge, too: relays that
/// read the header of the TLS exporter shortcut may skip it. Messages have the frames' types and bodies in postcard.
/// </summary>
public static class RelayHandshake
{
    /// <summary>Bytes of a challenge.</summary>
    public const int ChallengeLength = 16;

    /// <summary>Bytes of a <see cref="RelayFrameType.ServerChallenge"/> message.</summary>
    public const int ServerChallengeLength = 1 + ChallengeLength;

    /// <summary>Bytes of a <see cref="RelayFrameType.ClientAuth"/> message: type, id, length of the signature, signature.</summary>
    public const int ClientAuthLength = 1 + EndpointId.Length + 1 + Ed25519.SignatureLength;

    /// <summary>The longest reason, in bytes of UTF-8, that is written or shown: more is cut off. It goes into logs and status pages.</summary>
    public const int ReasonLengthMax = 1024;

    /// <summary>The reason if a signature does not fit, as iroh's relay words it.</summary>
    public const string SignatureInvalid = "signature invalid";

    /// <summary>The reason if access control gives none, as iroh's relay words it.</summary>
    public const string NotAuthorized = "not authorized";

    private const string SignatureContext = "iroh-relay handshake v1 challenge signature";

    /// <summary>Writes the relay's challenge.</summary>
    /// <param name="destination">At least <see cref="ServerChallengeLength"/> bytes.</param>
    /// <param name="challenge"><see cref="ChallengeLength"/> random bytes, never used before.</param>
    public static int WriteServerChallenge(Span<byte> destination, ReadOnlySpan<byte> challenge)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(challenge.Length, ChallengeLength);
        destination[0] = (byte)RelayFrameType.ServerChallenge;
        challenge.CopyTo(destination[1..]);
        return ServerChallengeLength;
    }

    /// <summary>Writes the client's answer to a challenge.</summary>
    /// <param name="destination">At least <see cref="ClientAuthLength"/> bytes.</param>
    /// <param name="key">The client's key.</param>
    /// <param name="challenge">The relay's challenge, <see cref="ChallengeLength"/> bytes.</param>
    public static int WriteClientAuth(Span<byte> destination, SecretKey key, ReadOnlySpan<byte> challenge)
    {
        ArgumentNullException.ThrowIfNull(key);
        Span<byte> message = stackalloc byte[Blake3.HashLength];
        DeriveMessage(challenge, message);
        destination[0] = (byte)RelayFrameType.ClientAuth;
        key.PublicKey.Span.CopyTo(destination[1..]);
        destination[1 + EndpointId.Length] = Ed25519.SignatureLength;
        key.Sign(message).CopyTo(destination[(1 + EndpointId.Length + 1)..]);
        return ClientAuthLength;
    }

    /// <summary>Writes the relay's confirmation: 1 byte.</summary>
    public static int WriteServerConfirmsAuth(Span<byte> destination)
    {
        destination[0] = (byte)RelayFrameType.ServerConfirmsAuth;
        return 1;
    }

    /// <summary>The message with which the relay denies access.</summary>
    /// <param name="reason">For people; cut after <see cref="ReasonLengthMax"/> bytes.</param>
    public static byte[] ServerDeniesAuth(string reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        var writer = new PostcardWriter();
        writer.WriteByte((byte)RelayFrameType.ServerDeniesAuth);
        writer.WriteString(Shorten(reason));
        return writer.ToArray();
    }

    /// <summary>Reads what a relay says before it has let the client in.</summary>
    public static bool TryReadServerMessage(ReadOnlySpan<byte> message, out RelayServerMessage read)
    {
        read = default;
        if (!RelayFrame.TryReadType(message, out ulong type, out int typeLength))
            return false;
        var body = new PostcardReader(message[typeLength..]);
        switch (type)
        {
            case (ulong)RelayFrameType.ServerChallenge when body.TryReadFixed(ChallengeLength, out ReadOnlySpan<byte> challenge):
                read = new RelayServerMessage(RelayFrameType.ServerChallenge, challenge, "");
                return true;
            case (ulong)RelayFrameType.ServerConfirmsAuth:
                read = new RelayServerMessage(RelayFrameType.ServerConfirmsAuth, default, "");
                return true;
            case (ulong)RelayFrameType.ServerDeniesAuth when body.TryReadString(out string reason):
                read = new RelayServerMessage(RelayFrameType.ServerDeniesAuth, default, Printable(Shorten(reason)));
                return true;
            default:
                return false;
        }
    }

    /// <summary>Reads a client's answer. Nothing is known about the id before <see cref="Verify"/> has said yes.</summary>
    /// <param name="message">The client's message.</param>
    /// <param name="id">Who the client says it is.</param>
    /// <param name="signature">64 bytes within <paramref name="message"/>.</param>
    public static bool TryReadClientAuth(ReadOnlySpan<byte> message, out EndpointId id, out ReadOnlySpan<byte> signature)
    {
        id = default;
        signature = default;
        if (!RelayFrame.TryReadType(message, out ulong type, out int typeLength) || type != (ulong)RelayFrameType.ClientAuth)
            return false;
        var body = new PostcardReader(message[typeLength..]);
        return body.TryReadFixed(EndpointId.Length, out ReadOnlySpan<byte> idBytes)
            && body.TryReadBytes(out signature)
            && signature.Length == Ed25519.SignatureLength
            && EndpointId.TryFromBytes(idBytes, out id);
    }

    /// <summary>Whether <paramref name="signature"/> over <paramref name="challenge"/> was made with the key of <paramref name="id"/>.</summary>
    public static bool Verify(EndpointId id, ReadOnlySpan<byte> challenge, ReadOnlySpan<byte> signature)
    {
        Span<byte> message = stackalloc byte[Blake3.HashLength];
        DeriveMessage(challenge, message);
        return id.Verify(message, signature);
    }

    internal static void DeriveMessage(ReadOnlySpan<byte> challenge, Span<byte> message)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(challenge.Length, ChallengeLength);
        Blake3Hasher hasher = Blake3Hasher.CreateDeriveKey(SignatureContext);
        hasher.Update(challenge);
        hasher.Finish(message);
    }

    // A relay's words reach terminals and logs: nothing in them may steer those.
    private static string Printable(string text) =>
        string.Create(text.Length, text, static (span, text) =>
        {
            for (int i = 0; i < span.Length; i++)
                span[i] = char.IsControl(text[i]) ? ' ' : text[i];
        });

    // Cuts between characters.
    private static string Shorten(string text)
    {
        if (Encoding.UTF8.GetByteCount(text) <= ReasonLengthMax)
            return text;
        byte[] bytes = new byte[ReasonLengthMax];
        Encoding.UTF8.GetEncoder().Convert(text, bytes, flush: true, out int charsUsed, out _, out _);
        return text[..charsUsed];
    }
}

/// <summary>What a relay says before it has let a client in.</summary>
public readonly ref struct RelayServerMessage
{
    internal RelayServerMessage(RelayFrameType type, ReadOnlySpan<byte> challenge, string reason)
    {
        Type = type;
        Challenge = challenge;
        Reason = reason;
    }

    /// <summary>
    /// <see cref="RelayFrameType.ServerChallenge"/>, <see cref="RelayFrameType.ServerConfirmsAuth"/> or
    /// <see cref="RelayFrameType.ServerDeniesAuth"/>.
    /// </summary>
    public RelayFrameType Type { get; }

    /// <summary>The bytes to sign if this is a challenge; part of the message that was read.</summary>
    public ReadOnlySpan<byte> Challenge { get; }

    /// <summary>Why access was denied, if it was; the relay's words, at most <see cref="RelayHandshake.ReasonLengthMax"/> bytes.</summary>
    public string Reason { get; }
}
