using Iroh.Relay.Server.Metrics;

namespace Iroh.Relay.Server.Clients;

/// <summary>What all connections of one relay share.</summary>
/// <param name="Registry">Who is connected.</param>
/// <param name="Counters">What was done.</param>
/// <param name="Clock">The time since the relay's start.</param>
/// <param name="Time">Makes pauses.</param>
/// <param name="ReceiveLimit">How fast each may send; null if that is not limited.</param>
internal sealed record RelayParts(
    ClientRegistry<ClientConnection> Registry, RelayCounters Counters, Func<TimeSpan> Clock, TimeProvider Time, ReceiveLimit? ReceiveLimit);
