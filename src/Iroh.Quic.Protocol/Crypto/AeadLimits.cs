using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>
/// Counts how often the 1-RTT keys of a connection were used and how often opening failed (RFC 9001 §6.6), over all paths.
/// </summary>
internal sealed class AeadLimits
{
    /// <summary>
    /// Packets kept back at the end of a key's life for saying CONNECTION_CLOSE: it is repeated for packets that still arrive.
    /// </summary>
    public const ulong ClosingReserve = 1024;

    private readonly ulong _confidentialityLimit;
    private readonly ulong _integrityLimit;
    private ulong _sealed;
    private ulong _forged;

    /// <summary>Takes the limits of RFC 9001 §6.6.</summary>
    public AeadLimits(AeadAlgorithm algorithm)
        : this(ConfidentialityLimit(algorithm), IntegrityLimit(algorithm))
    {
    }

    /// <summary>Takes other limits: the real ones are too far away to be reached in a test.</summary>
    internal AeadLimits(ulong confidentialityLimit, ulong integrityLimit)
    {
        _confidentialityLimit = confidentialityLimit;
        _integrityLimit = integrityLimit;
    }

    /// <summary>Packets that may be sealed with one key: 2^23 for AES-GCM, for ChaCha20 more than there are packet numbers.</summary>
    public static ulong ConfidentialityLimit(AeadAlgorithm algorithm) =>
        algorithm == AeadAlgorithm.ChaCha20Poly1305 ? ulong.MaxValue : 1UL << 23;

    /// <summary>Packets that may fail to open over all keys of a connection: 2^52 for AES-GCM, 2^36 for ChaCha20.</summary>
    public static ulong IntegrityLimit(AeadAlgorithm algorithm) =>
        algorithm == AeadAlgorithm.ChaCha20Poly1305 ? 1UL << 36 : 1UL << 52;

    /// <summary>
    /// Whether the sending key should be replaced. It is from half of its life on, so that a peer which is slow to
    /// acknowledge the last update has as long again.
    /// </summary>
    public bool ShouldUpdate => _sealed >= _confidentialityLimit / 2;

    /// <summary>Whether the sending key is used up but for the <see cref="ClosingReserve"/>.</summary>
    public bool IsSendingKeyUsedUp => _sealed + ClosingReserve >= _confidentialityLimit;

    /// <summary>Whether so many packets failed to open that the connection has to end.</summary>
    public bool IsIntegrityLimitReached => _forged >= _integrityLimit;

    /// <summary>Counts a packet sealed with the current sending key.</summary>
    public void OnSealed() => _sealed++;

    /// <summary>Counts a packet that did not open with the key that it should have been sealed with.</summary>
    public void OnOpenFailed() => _forged++;

    /// <summary>The sending key was replaced; failures to open go on counting.</summary>
    public void OnKeyUpdate() => _sealed = 0;

    /// <summary>The error that closes the connection at either limit.</summary>
    public static TransportError Error { get; } =
        new(TransportErrorCode.AeadLimitReached, "The keys were used as often as their AEAD allows.");
}
