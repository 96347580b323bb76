using System.IO.Pipelines;

namespace Iroh.Relay.Server.Clients;

/// <summary>A connection after its upgrade. Its owner closes it when the relay is done with it.</summary>
/// <param name="Pipe">The bytes both ways.</param>
/// <param name="Abort">Breaks the connection off. Thread-safe, may be called several times, also after the end.</param>
/// <param name="Aborted">Fires when the connection is broken.</param>
internal sealed record RelayTransport(IDuplexPipe Pipe, Action Abort, CancellationToken Aborted);
