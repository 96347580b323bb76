using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Paths;

/// <summary>What <see cref="PathPolicy"/> looks at in one path of a connection.</summary>
/// <param name="Id">The path.</param>
/// <param name="Remote">Where the peer is on it; a virtual address for a relay.</param>
/// <param name="RoundTripTime">The smoothed round trip time.</param>
/// <param name="IsValidated">Whether the peer was heard to receive there; only then data may go that way.</param>
/// <param name="IsSilent">Whether what was sent there stays unanswered.</param>
/// <param name="IsAvailable">Whether this end sends there; false for a backup.</param>
internal readonly record struct PathView(
    PathId Id, NetworkAddress Remote, TimeSpan RoundTripTime, bool IsValidated, bool IsSilent, bool IsAvailable)
{
    /// <summary>Whether datagrams take a relay.</summary>
    public bool IsRelayed => Remote.IsVirtual;

    /// <summary>Whether data could go this way now.</summary>
    public bool Works => IsValidated && !IsSilent;
}
