using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>What runs on top of a simulated connection. It is asked after everything that happens to the connection.</summary>
public abstract class Application
{
    public virtual void OnEvent(SimulatedConnection connection, in ConnectionEvent e)
    {
    }

    /// <summary>Does what can be done now. Returns whether anything was.</summary>
    public virtual bool Step(SimulatedConnection connection, Instant now) => false;
}
