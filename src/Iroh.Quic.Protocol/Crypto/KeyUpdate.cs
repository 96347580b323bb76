using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>
/// The 1-RTT keys of a connection and their updates (RFC 9001 §6). Not thread-safe.
/// <para>
/// Both directions are always in the same generation; its lowest bit is the key phase. A generation goes through
/// </para>
/// <list type="number">
/// <item>begun: by us (<see cref="TryInitiate"/>, with the peer still sending in the previous one) or by a packet of the peer
/// that opens with the next keys;</item>
/// <item>confirmed: the peer has sent in it; from now on the previous keys have a time limit (three PTOs, §6.5);</item>
/// <item>ours to end: the peer has acknowledged a packet that we sent in it, and three PTOs more have passed (§6.5);</item>
/// <item>the peer's to end: we have sent an acknowledgement in it after it was confirmed (§6.2).</item>
/// </list>
/// <para>
/// Which keys open a packet of the other phase is decided by its number on its path (§6.5): below everything received in the
/// current generation it is a late one of the previous, above it begins the next. On a path where nothing has arrived in the
/// current generation it is taken for a late one while the previous keys are there, because a peer waits three PTOs with the
/// next update. One attempt is made, whatever the choice, so timing tells nothing of the phase (§9.5).
/// </para>
/// </summary>
internal sealed class KeyUpdate : IDisposable
{
    private readonly CipherSuite _suite;
    private readonly AeadLimits _limits;
    private readonly HeaderProtectionKey _receiveHeaderProtection;
    private readonly HeaderProtectionKey _sendHeaderProtection;
    private readonly byte[] _nextReceiveSecret;
    private readonly byte[] _nextSendSecret;
    private PacketCipher? _previousReceive;
    private PacketCipher _receive;
    private PacketCipher _nextReceive;
    private PacketCipher _send;
    private PacketCipher _nextSend;
    private bool _isHandshakeConfirmed;
    private bool _isConfirmedByPeer = true;
    private bool _wasAckSentSinceConfirmation;
    private bool _wasAcknowledged;
    private Instant _earliestInitiation;

    /// <summary>Derives the first generation, and the second in advance.</summary>
    /// <param name="suite">The negotiated one; it decides AEAD and hash.</param>
    /// <param name="receiveSecret">The peer's first application traffic secret; the caller may wipe it afterwards.</param>
    /// <param name="sendSecret">Ours.</param>
    public KeyUpdate(CipherSuite suite, ReadOnlySpan<byte> receiveSecret, ReadOnlySpan<byte> sendSecret)
        : this(suite, receiveSecret, sendSecret, new AeadLimits(suite.Aead()))
    {
    }

    internal KeyUpdate(
        CipherSuite suite, ReadOnlySpan<byte> receiveSecret, ReadOnlySpan<byte> sendSecret, AeadLimits limits)
    {
        _suite = suite;
        _limits = limits;
        _receiveHeaderProtection = KeyDerivation.DeriveHeaderProtectionKey(suite, receiveSecret);
        _sendHeaderProtection = KeyDerivation.DeriveHeaderProtectionKey(suite, sendSecret);
        _receive = KeyDerivation.DeriveCipher(suite, receiveSecret);
        _send = KeyDerivation.DeriveCipher(suite, sendSecret);
        _nextReceiveSecret = receiveSecret.ToArray();
        _nextSendSecret = sendSecret.ToArray();
        _nextReceive = DeriveNext(_nextReceiveSecret);
        _nextSend = DeriveNext(_nextSendSecret);
    }

    /// <summary>Number of key updates so far, by either side.</summary>
    public ulong Generation { get; private set; }

    /// <summary>The Key Phase bit of packets sent now. Read it when the header is written, after <see cref="PrepareToSend"/>.</summary>
    public bool KeyPhase => (Generation & 1) != 0;

    /// <summary>When <see cref="HandleTimeout"/> has to be called to wipe the previous keys; <see cref="Instant.Never"/> if not.</summary>
    public Instant NextTimeout { get; private set; } = Instant.Never;

    /// <summary>RFC 9001 §6.1: before this no update may be initiated.</summary>
    public void OnHandshakeConfirmed() => _isHandshakeConfirmed = true;

    /// <summary>
    /// To be called before each packet is built: updates the keys when half of their life is over and the rules allow it.
    /// AEAD_LIMIT_REACHED when the sending key is used up; the connection then sends nothing but CONNECTION_CLOSE.
    /// </summary>
    public TransportError? PrepareToSend(Instant now)
    {
        if (_limits.ShouldUpdate)
            TryInitiate(now);
        return _limits.IsSendingKeyUsedUp ? AeadLimits.Error : null;
    }

    /// <summary>Begins the next generation, if RFC 9001 §6.1 and §6.5 allow it now: see the states above.</summary>
    public bool TryInitiate(Instant now)
    {
        // §6.1: the first update needs a confirmed handshake, each later one an acknowledgement in the current phase;
        // §6.5: and three PTOs for the peer to be rid of its previous keys.
        if (!_isHandshakeConfirmed || (Generation > 0 && !_wasAcknowledged) || now < _earliestInitiation)
            return false;
        Advance();
        _isConfirmedByPeer = false;
        NextTimeout = Instant.Never; // §6.1: the previous keys stay until the peer has sent with the new ones.
        return true;
    }

    /// <summary>Seals a packet in place and masks its header; parameters as for <see cref="PacketKeys.Protect"/>.</summary>
    /// <param name="packet">Its Key Phase bit is <see cref="KeyPhase"/>.</param>
    /// <param name="packetNumberOffset">Where the packet number is.</param>
    /// <param name="packetNumberLength">1 to 4.</param>
    /// <param name="path">The path that the packet number belongs to.</param>
    /// <param name="packetNumber">The full number, never used before on that path.</param>
    /// <param name="window">That path's.</param>
    /// <param name="containsAck">Whether a frame of the packet acknowledges 1-RTT packets of any path.</param>
    public void Protect(
        Span<byte> packet,
        int packetNumberOffset,
        int packetNumberLength,
        PathId path,
        PacketNumber packetNumber,
        ref KeyPhaseWindow window,
        bool containsAck)
    {
        _send.Seal(packet, packetNumberOffset + packetNumberLength, path, packetNumber);
        HeaderProtection.Apply(_sendHeaderProtection, packet, packetNumberOffset, packetNumberLength);
        _limits.OnSealed();
        window.OnSent(Generation, packetNumber);
        _wasAckSentSinceConfirmation |= containsAck && _isConfirmedByPeer;
    }

    /// <summary>Unmasks the header in place; parameters as for <see cref="PacketKeys.TryRemoveHeaderProtection"/>.</summary>
    public bool TryRemoveHeaderProtection(
        Span<byte> packet, int packetNumberOffset, out int packetNumberLength, out ulong truncated) =>
        HeaderProtection.TryRemove(_receiveHeaderProtection, packet, packetNumberOffset, out packetNumberLength, out truncated);

    /// <summary>Opens a packet in place, and follows the peer's key update if it begins one.</summary>
    /// <param name="packet">Exactly the packet, its header unmasked.</param>
    /// <param name="headerLength">Bytes up to and with the packet number.</param>
    /// <param name="keyPhase">The packet's Key Phase bit.</param>
    /// <param name="path">The path that the packet number belongs to.</param>
    /// <param name="packetNumber">The full number, restored with the largest one received on that path.</param>
    /// <param name="window">That path's.</param>
    /// <param name="now">The time of arrival.</param>
    /// <param name="retention">Three times the PTO, the largest over all paths: how long the previous keys are kept.</param>
    /// <returns>
    /// Opened; dropped; or KEY_UPDATE_ERROR (RFC 9001 §6.2, §6.4) or AEAD_LIMIT_REACHED (§6.6).
    /// </returns>
    public PacketOpening Open(
        Span<byte> packet,
        int headerLength,
        bool keyPhase,
        PathId path,
        PacketNumber packetNumber,
        ref KeyPhaseWindow window,
        Instant now,
        TimeSpan retention)
    {
        HandleTimeout(now);
        Choice choice = Choose(keyPhase, packetNumber, window);
        PacketCipher cipher = choice switch
        {
            Choice.Current => _receive,
            Choice.Previous => _previousReceive!,
            _ => _nextReceive,
        };
        if (!cipher.TryOpen(packet, headerLength, path, packetNumber))
        {
            _limits.OnOpenFailed();
            return _limits.IsIntegrityLimitReached ? PacketOpening.Failed(AeadLimits.Error) : PacketOpening.Dropped;
        }

        if (choice == Choice.Previous)
        {
            // §6.4: old keys on a number above one with newer keys MUST be an error.
            if (window.HasReceivedIn(Generation) && packetNumber.Value > window.SmallestReceived.Value)
                return PacketOpening.Failed(UpdateError("A packet with old keys has a higher number than one with newer keys."));
            return Opened(Generation - 1, packet, headerLength);
        }

        if (choice == Choice.Next)
        {
            if (Follow(packetNumber, window) is { } error)
                return PacketOpening.Failed(error);
            NextTimeout = now + retention;
        }
        else if (!_isConfirmedByPeer)
        {
            _isConfirmedByPeer = true;
            NextTimeout = now + retention;
        }

        window.OnReceived(Generation, packetNumber);
        return Opened(Generation, packet, headerLength);
    }

    /// <summary>Takes note of an acknowledgement of 1-RTT packets.</summary>
    /// <param name="largestAcknowledged">The largest number that the frame acknowledges on its path.</param>
    /// <param name="generation">That of the packet that held the frame, see <see cref="PacketOpening.Generation"/>.</param>
    /// <param name="window">That of the path whose packets are acknowledged.</param>
    /// <param name="now">The time of arrival.</param>
    /// <param name="retention">As for <see cref="Open"/>: how long we wait with our own next update.</param>
    /// <returns>KEY_UPDATE_ERROR if a packet with old keys acknowledges one with newer keys (RFC 9001 §6.2), else null.</returns>
    public TransportError? OnAckReceived(
        PacketNumber largestAcknowledged, ulong generation, in KeyPhaseWindow window, Instant now, TimeSpan retention)
    {
        if (!window.HasSentIn(Generation) || largestAcknowledged.Value < window.SmallestSent.Value)
            return null;
        if (generation < Generation)
            return UpdateError("A packet with old keys acknowledges one with newer keys.");
        if (Generation > 0 && !_wasAcknowledged)
        {
            _wasAcknowledged = true;
            _earliestInitiation = now + retention;
        }

        return null;
    }

    /// <summary>Wipes the previous keys when their time is over.</summary>
    public void HandleTimeout(Instant now)
    {
        if (now < NextTimeout)
            return;
        NextTimeout = Instant.Never;
        _previousReceive?.Dispose();
        _previousReceive = null;
    }

    /// <summary>Wipes all keys and secrets.</summary>
    public void Dispose()
    {
        _previousReceive?.Dispose();
        _receive.Dispose();
        _nextReceive.Dispose();
        _send.Dispose();
        _nextSend.Dispose();
        _receiveHeaderProtection.Dispose();
        _sendHeaderProtection.Dispose();
        CryptographicOperations.ZeroMemory(_nextReceiveSecret);
        CryptographicOperations.ZeroMemory(_nextSendSecret);
    }

    private Choice Choose(bool keyPhase, PacketNumber packetNumber, in KeyPhaseWindow window)
    {
        if (keyPhase == KeyPhase)
            return Choice.Current;
        if (_previousReceive is null)
            return Choice.Next;
        bool isAbove = window.HasReceivedIn(Generation) && packetNumber.Value > window.LargestReceived.Value;
        return isAbove ? Choice.Next : Choice.Previous;
    }

    /// <summary>A packet opened with the next keys: the peer has updated (§6.2).</summary>
    private TransportError? Follow(PacketNumber packetNumber, in KeyPhaseWindow window)
    {
        // §6.4: newer keys on a number below one with older keys.
        if (window.HasReceivedIn(Generation) && packetNumber.Value <= window.LargestReceived.Value)
            return UpdateError("A packet with newer keys has a lower number than one with old keys.");
        // §6.2: a peer that updates again before it can have heard of the last update MAY be refused. The first update
        // needs no acknowledgement (§6.1).
        if (Generation > 0 && !_wasAckSentSinceConfirmation)
            return UpdateError("The peer updated its keys twice without waiting for an acknowledgement.");
        Advance();
        _isConfirmedByPeer = true;
        return null;
    }

    /// <summary>Moves both directions to the next generation and derives the one after it, so that following an update is a swap.</summary>
    private void Advance()
    {
        Generation++;
        _previousReceive?.Dispose();
        _previousReceive = _receive;
        _receive = _nextReceive;
        _nextReceive = DeriveNext(_nextReceiveSecret);
        _send.Dispose();
        _send = _nextSend;
        _nextSend = DeriveNext(_nextSendSecret);
        _limits.OnKeyUpdate();
        _wasAcknowledged = false;
        _wasAckSentSinceConfirmation = false;
    }

    private PacketCipher DeriveNext(byte[] secret)
    {
        KeyDerivation.UpdateSecret(_suite, secret);
        return KeyDerivation.DeriveCipher(_suite, secret);
    }

    private static PacketOpening Opened(ulong generation, ReadOnlySpan<byte> packet, int headerLength) =>
        new(true, null, generation, headerLength, packet.Length - headerLength - AeadKey.TagLength);

    private static TransportError UpdateError(string reason) => new(TransportErrorCode.KeyUpdateError, reason);

    private enum Choice
    {
        Previous,
        Current,
        Next,
    }
}
