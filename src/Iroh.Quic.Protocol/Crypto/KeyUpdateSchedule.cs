using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>When this end updates the 1-RTT keys of its own accord: at the application's wish, or after a number of packets.</summary>
internal sealed class KeyUpdateSchedule
{
    private readonly ulong _packetsPerKeyMax;
    private ulong _generation;
    private ulong _packets;

    /// <summary>Starts with no wish.</summary>
    /// <param name="packetsPerKeyMax">After how many sent packets the keys are replaced; at least 1.</param>
    public KeyUpdateSchedule(ulong packetsPerKeyMax) => _packetsPerKeyMax = packetsPerKeyMax;

    /// <summary>Set when the application wants an update; it happens as soon as the rules allow it (RFC 9001 §6.1).</summary>
    public bool IsWanted { get; set; }

    /// <summary>A 1-RTT packet was sealed.</summary>
    public void OnPacketSent() => _packets++;

    /// <summary>To be called before each packet is built.</summary>
    /// <returns>AEAD_LIMIT_REACHED if the keys cannot be used any more.</returns>
    public TransportError? PrepareToSend(Instant now, KeyUpdate keys)
    {
        if ((IsWanted || _packets >= _packetsPerKeyMax) && keys.TryInitiate(now))
            IsWanted = false;
        TransportError? error = keys.PrepareToSend(now);
        if (keys.Generation != _generation)
        {
            _generation = keys.Generation;
            _packets = 0;
        }

        return error;
    }
}
