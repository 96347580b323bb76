using Iroh.Base;

namespace Iroh.Docs.Sync;

/// <summary>
/// Which documents are being synced with whom, so that two endpoints never sync one document twice at once. When both dial at the same time, the
/// connection that the endpoint with the smaller id dialled is the one that stays. Decides only; not thread-safe.
/// </summary>
internal sealed class SyncTable(EndpointId ownId)
{
    private readonly Dictionary<(NamespaceId Document, EndpointId Peer), SyncRoles> _running = [];

    [Flags]
    private enum SyncRoles
    {
        None = 0,
        Dialler = 1,
        Acceptor = 2,
    }

    /// <summary>Number of syncs under way.</summary>
    internal int Count => _running.Count;

    /// <summary>Whether to dial; if so, the dial has begun.</summary>
    internal bool TryBeginDial(NamespaceId document, EndpointId peer) =>
        !_running.ContainsKey((document, peer)) && _running.TryAdd((document, peer), SyncRoles.Dialler);

    /// <summary>Whether to answer a peer that dialled; if so, the answer has begun.</summary>
    internal bool TryBeginAccept(NamespaceId document, EndpointId peer)
    {
        SyncRoles roles = _running.GetValueOrDefault((document, peer));
        // Both ends decide alike: the larger id answers, and its own dial is the one that gets refused.
        if ((roles & SyncRoles.Acceptor) != 0 || (roles == SyncRoles.Dialler && ownId.CompareTo(peer) < 0))
            return false;
        _running[(document, peer)] = roles | SyncRoles.Acceptor;
        return true;
    }

    /// <summary>Ends what <see cref="TryBeginDial"/> began.</summary>
    internal void EndDial(NamespaceId document, EndpointId peer) => End(document, peer, SyncRoles.Dialler);

    /// <summary>Ends what <see cref="TryBeginAccept"/> began.</summary>
    internal void EndAccept(NamespaceId document, EndpointId peer) => End(document, peer, SyncRoles.Acceptor);

    private void End(NamespaceId document, EndpointId peer, SyncRoles role)
    {
        SyncRoles left = _running.GetValueOrDefault((document, peer)) & ~role;
        if (left == SyncRoles.None)
            _running.Remove((document, peer));
        else
            _running[(document, peer)] = left;
    }
}
