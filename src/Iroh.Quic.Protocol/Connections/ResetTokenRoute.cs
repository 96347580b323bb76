using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>
/// Keeps the endpoint informed of the token of a path that would end this connection: that of the peer's id in use, from the address in
/// use (RFC 9000 §10.3.1).
/// </summary>
internal sealed class ResetTokenRoute
{
    private (NetworkAddress Remote, StatelessResetToken Token)? _registered;

    /// <summary>Appends the events that bring the endpoint up to date, if anything has changed.</summary>
    public void Update(Path path, Queue<EndpointEvent> events)
    {
        (NetworkAddress, StatelessResetToken)? wanted =
            path.RemoteIds.ActiveResetToken is { } token ? (path.Current.Address.Remote, token) : null;
        Set(wanted, events);
    }

    /// <summary>The path is forgotten.</summary>
    public void Remove(Queue<EndpointEvent> events) => Set(null, events);

    private void Set((NetworkAddress, StatelessResetToken)? wanted, Queue<EndpointEvent> events)
    {
        if (wanted == _registered)
            return;
        if (_registered is { } old)
            events.Enqueue(Event(EndpointEventKind.ResetTokenRemoved, old));
        if (wanted is { } current)
            events.Enqueue(Event(EndpointEventKind.ResetTokenAdded, current));
        _registered = wanted;
    }

    private static EndpointEvent Event(EndpointEventKind kind, (NetworkAddress Remote, StatelessResetToken Token) route) =>
        new() { Kind = kind, Remote = route.Remote, ResetToken = route.Token };
}
