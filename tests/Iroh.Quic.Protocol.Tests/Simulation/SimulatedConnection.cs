using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Endpoint;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>A connection with what its owner knows about it.</summary>
public sealed class SimulatedConnection(ConnectionHandle handle, Connection connection, Application? application)
{
    public ConnectionHandle Handle { get; } = handle;

    public Connection Connection { get; } = connection;

    public Application? Application { get; set; } = application;

    public List<ConnectionEvent> Events { get; } = [];

    public bool Has(ConnectionEventKind kind) => Events.Exists(e => e.Kind == kind);
}
