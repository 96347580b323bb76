using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>Counts and remembers what an endpoint's connections report.</summary>
public sealed class RecordingTrace : TraceSink
{
    public Dictionary<PacketDropReason, int> Drops { get; } = [];

    public List<FourTuple> Validated { get; } = [];

    public List<(FourTuple From, FourTuple To)> Migrations { get; } = [];

    public List<ConnectionPhase> Phases { get; } = [];

    public ulong KeyUpdates { get; private set; }

    public int PacketsSent { get; private set; }

    public int PacketsReceived { get; private set; }

    public int LostPackets { get; private set; }

    public TraceSink? Next { get; set; }

    /// <summary>Called for each validated address as it happens.</summary>
    public Action<FourTuple>? OnValidated { get; set; }

    public override void PacketSent(Instant now, EncryptionLevel level, PathId path, PacketNumber number, int size)
    {
        PacketsSent++;
        Next?.PacketSent(now, level, path, number, size);
    }

    public override void PacketReceived(Instant now, EncryptionLevel level, PathId path, PacketNumber number, int size)
    {
        PacketsReceived++;
        Next?.PacketReceived(now, level, path, number, size);
    }

    public override void PacketDropped(Instant now, PacketDropReason reason, int size)
    {
        Drops[reason] = Drops.GetValueOrDefault(reason) + 1;
        Next?.PacketDropped(now, reason, size);
    }

    public override void PacketsLost(Instant now, PathId path, int packets, long bytes) 
    {
        LostPackets += packets;
        Next?.PacketsLost(now, path, packets, bytes);
    }

    public override void KeysUpdated(Instant now, ulong updates)
    {
        KeyUpdates = updates;
        Next?.KeysUpdated(now, updates);
    }

    public override void PathValidated(Instant now, PathId path, FourTuple address)
    {
        Validated.Add(address);
        OnValidated?.Invoke(address);
    }

    public override void PathMigrated(Instant now, PathId path, FourTuple from, FourTuple to) => Migrations.Add((from, to));

    public override void PhaseChanged(Instant now, ConnectionPhase from, ConnectionPhase to)
    {
        Phases.Add(to);
        Next?.PhaseChanged(now, from, to);
    }
}
