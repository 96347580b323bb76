using System.Diagnostics.CodeAnalysis;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Endpoint;

/// <summary>Which connection a datagram is for: by our connection ids, by the id of a client's first packets, by reset tokens.</summary>
internal sealed class RoutingTable
{
    private readonly Dictionary<ConnectionId, ConnectionHandle> _byLocalId = [];
    private readonly Dictionary<ConnectionId, (ConnectionHandle Handle, Incoming? Incoming)> _byInitialId = [];
    private readonly Dictionary<(NetworkAddress Remote, StatelessResetToken Token), ConnectionHandle> _byResetToken = [];
    private readonly Dictionary<ConnectionHandle, Registration> _registrations = [];

    /// <summary>Connections that are not drained.</summary>
    public int Count => _registrations.Count;

    /// <summary>Incoming connections that wait for a decision or are in their handshake.</summary>
    public int HandshakeCount { get; private set; }

    /// <summary>Finds the connection that has issued an id.</summary>
    public bool TryFind(in ConnectionId id, out ConnectionHandle handle) => _byLocalId.TryGetValue(id, out handle);

    /// <summary>Finds the attempt or the connection that a client began with packets to this id.</summary>
    public bool TryFindInitial(in ConnectionId id, out ConnectionHandle handle, out Incoming? incoming)
    {
        bool found = _byInitialId.TryGetValue(id, out (ConnectionHandle Handle, Incoming? Incoming) entry);
        (handle, incoming) = entry;
        return found;
    }

    /// <summary>Finds the connection that a stateless reset from this address is for.</summary>
    public bool TryFindReset(NetworkAddress remote, StatelessResetToken token, out ConnectionHandle handle) =>
        _byResetToken.TryGetValue((remote, token), out handle);

    /// <summary>Adds an attempt that waits for a decision.</summary>
    public void AddIncoming(Incoming incoming)
    {
        _byInitialId.Add(incoming.OriginalDestinationId, (default, incoming));
        HandshakeCount++;
    }

    /// <summary>Removes an attempt that was decided.</summary>
    public void RemoveIncoming(in ConnectionId initialId)
    {
        if (_byInitialId.Remove(initialId))
            HandshakeCount--;
    }

    /// <summary>Adds a connection.</summary>
    /// <param name="handle">New.</param>
    /// <param name="localId">Its first id.</param>
    /// <param name="initialId">For a server the id of the client's first packets, which may be repeated as long as the connection lives.</param>
    public void AddConnection(ConnectionHandle handle, in ConnectionId localId, ConnectionId? initialId)
    {
        var registration = new Registration { InitialId = initialId, IsHandshaking = initialId is not null };
        registration.LocalIds.Add(localId);
        _registrations.Add(handle, registration);
        _byLocalId[localId] = handle;
        if (initialId is not { } initial)
            return;
        _byInitialId[initial] = (handle, null);
        HandshakeCount++;
    }

    /// <summary>Applies a change that a connection asks for; ignored once it is drained.</summary>
    public void Apply(ConnectionHandle handle, in EndpointEvent e)
    {
        if (!TryGet(handle, out Registration? registration))
            return;
        switch (e.Kind)
        {
            case EndpointEventKind.ConnectionIdIssued:
                registration.LocalIds.Add(e.ConnectionId);
                _byLocalId[e.ConnectionId] = handle;
                break;
            case EndpointEventKind.ConnectionIdRetired:
                registration.LocalIds.Remove(e.ConnectionId);
                _byLocalId.Remove(e.ConnectionId);
                break;
            case EndpointEventKind.ResetTokenAdded:
                registration.ResetTokens.Add((e.Remote, e.ResetToken));
                _byResetToken[(e.Remote, e.ResetToken)] = handle;
                break;
            case EndpointEventKind.ResetTokenRemoved:
                registration.ResetTokens.Remove((e.Remote, e.ResetToken));
                _byResetToken.Remove((e.Remote, e.ResetToken));
                break;
            case EndpointEventKind.HandshakeCompleted:
                EndHandshake(registration);
                break;
            case EndpointEventKind.Drained:
                Remove(handle, registration);
                break;
        }
    }

    private bool TryGet(ConnectionHandle handle, [NotNullWhen(true)] out Registration? registration) =>
        _registrations.TryGetValue(handle, out registration);

    private void Remove(ConnectionHandle handle, Registration registration)
    {
        EndHandshake(registration);
        foreach (ConnectionId id in registration.LocalIds)
            _byLocalId.Remove(id);
        foreach ((NetworkAddress, StatelessResetToken) token in registration.ResetTokens)
            _byResetToken.Remove(token);
        if (registration.InitialId is { } initialId)
            _byInitialId.Remove(initialId);
        _registrations.Remove(handle);
    }

    private void EndHandshake(Registration registration)
    {
        if (!registration.IsHandshaking)
            return;
        registration.IsHandshaking = false;
        HandshakeCount--;
    }

    private sealed class Registration
    {
        public List<ConnectionId> LocalIds { get; } = new(LocalIdsCapacity);

        public List<(NetworkAddress, StatelessResetToken)> ResetTokens { get; } = [];

        public ConnectionId? InitialId { get; init; }

        public bool IsHandshaking { get; set; }

        private const int LocalIdsCapacity = ConnectionIds.LocalIds.IssuedMax + 1;
    }
}
