using System.Diagnostics.CodeAnalysis;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// PATH_CHALLENGEs to addresses that are no path's: NAT traversal asks with them whether an address can be reached. Each leaves alone in a
/// short packet of the lowest validated path, is not counted by congestion control, and is never repeated.
/// </summary>
internal sealed class OffPathProbes
{
    /// <summary>Probes waiting at once: some for each candidate of a peer, of which iroh allows 32. What comes on top is dropped.</summary>
    public const int CountMax = 256;

    private readonly Queue<(NetworkAddress To, ulong Data)> _waiting = new();

    /// <summary>Hears of PATH_RESPONSEs that answer no challenge of the path they came on: time, data, and the address they came from.</summary>
    public Action<Instant, ulong, FourTuple>? Answered { get; set; }

    /// <summary>Hears of PATH_CHALLENGEs that came from an address that is not the path's.</summary>
    public Action<Instant, FourTuple>? Challenged { get; set; }

    /// <summary>Number of probes that wait to be sent.</summary>
    public int Count => _waiting.Count;

    /// <summary>Has a probe sent with the next datagrams. False if too many wait.</summary>
    /// <param name="to">Where to.</param>
    /// <param name="data">The 8 bytes that an answer brings back; unpredictable, and new for each probe.</param>
    public bool Queue(NetworkAddress to, ulong data)
    {
        if (_waiting.Count >= CountMax)
            return false;
        _waiting.Enqueue((to, data));
        return true;
    }

    /// <summary>Drops what waits.</summary>
    public void Clear() => _waiting.Clear();

    /// <summary>Takes the oldest.</summary>
    public bool TryTake(out NetworkAddress to, out ulong data)
    {
        bool isAny = _waiting.TryDequeue(out (NetworkAddress To, ulong Data) probe);
        (to, data) = probe;
        return isAny;
    }

    /// <summary>The address of the oldest.</summary>
    public NetworkAddress Next => _waiting.Peek().To;

    /// <summary>The path whose ids and packet numbers a probe uses: the lowest that is validated.</summary>
    public static bool TryFindCarrier(PathTable paths, [NotNullWhen(true)] out Path? carrier)
    {
        for (int i = 0; i < paths.Count; i++)
        {
            carrier = paths[i];
            if (!carrier.IsAbandoned && carrier.Current.Validator.IsValidated && carrier.RemoteIds.HasActive)
                return true;
        }

        carrier = null;
        return false;
    }
}
