using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Driving;

/// <summary>
/// The addresses at which a server may be while it has not answered, and what was sent so far, so that an address that becomes known late
/// gets it at once instead of after the next probe timeout.
/// </summary>
internal sealed class FirstFlight
{
    /// <summary>A client's first flight and two retransmissions; what came before is repeated in them.</summary>
    private const int KeptMax = 3;

    private readonly List<NetworkAddress> _candidates;
    private readonly Queue<(Transmit Transmit, byte[] Payload)> _kept = new(KeptMax);

    /// <param name="candidates">Different from each other, at least one.</param>
    public FirstFlight(IEnumerable<NetworkAddress> candidates) => _candidates = [.. candidates];

    /// <summary>All addresses.</summary>
    public IReadOnlyList<NetworkAddress> Candidates => _candidates;

    /// <summary>Keeps a copy of what is sent.</summary>
    public void Keep(in Transmit transmit, ReadOnlySpan<byte> payload)
    {
        if (_kept.Count == KeptMax)
            _kept.Dequeue();
        _kept.Enqueue((transmit, payload.ToArray()));
    }

    /// <summary>Adds an address; false if it is known or there are too many.</summary>
    /// <param name="candidate">The address.</param>
    /// <param name="missed">What the others have got, in order, readdressed.</param>
    public bool TryAdd(NetworkAddress candidate, out (Transmit Transmit, byte[] Payload)[] missed)
    {
        missed = [];
        if (_candidates.Count >= QuicConnectOptions.RemotesMax || _candidates.Contains(candidate))
            return false;
        _candidates.Add(candidate);
        missed = [.. _kept.Select(sent => (sent.Transmit with { Path = new FourTuple(default, candidate) }, sent.Payload))];
        return true;
    }
}
