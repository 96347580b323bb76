using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Streams;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

/// <summary>Two ends with a direct way, several addresses of the server, and a relay between them.</summary>
public sealed class MultipathPair
{
    public static readonly NetworkAddress RelayAtClient = NetworkAddress.Virtual(1);

    public static readonly NetworkAddress RelayAtServer = NetworkAddress.Virtual(2);

    public static readonly NetworkAddress Nobody = NetworkAddress.FromIPv4([10, 0, 0, 99], 9);

    public MultipathPair(Action<Pair>? configure = null, LinkConditions? conditions = null)
    {
        Pair = new Pair(1, conditions);
        Pair.ClientConfiguration = Pair.ClientConfiguration with { KeepAliveInterval = TimeSpan.FromSeconds(5) };
        Pair.ServerConfiguration = Pair.ServerConfiguration with { KeepAliveInterval = TimeSpan.FromSeconds(5) };
        configure?.Invoke(Pair);
        for (int i = 0; i < 10; i++)
            Pair.Server.Addresses.Add(ServerAddress(i));
        Pair.Network.Relay(Pair.ClientAddress, RelayAtClient, Pair.ServerAddress, RelayAtServer);
        Pair.Network.Intercept = datagram =>
        {
            bool isRelayed = datagram.Source.IsVirtual;
            if (isRelayed)
                Relayed++;
            return !(isRelayed ? IsRelayDark : IsDirectDark);
        };
        Pair.Establish();
        Pair.RunFor(TimeSpan.FromSeconds(1));
    }

    public Pair Pair { get; }

    public bool IsDirectDark { get; set; }

    public bool IsRelayDark { get; set; }

    public int Relayed { get; private set; }

    public Connection Client => Pair.ClientSide.Connection;

    public Connection Server => Pair.ServerSide.Connection;

    public Instant Now => Pair.Network.Now;

    public static NetworkAddress ServerAddress(int index) => NetworkAddress.FromIPv4([10, 0, 1, (byte)index], 2222);

    /// <summary>Opens a path over the relay and waits until both ends have validated it.</summary>
    public PathId OpenRelay(PathStatus status = PathStatus.Backup) => Open(new FourTuple(default, RelayAtClient), status);

    public PathId Open(FourTuple address, PathStatus status = PathStatus.Backup)
    {
        Assert.Equal(PathOpenResult.Opened, Client.TryOpenPath(Now, address, status, out PathId id));
        Pair.Drain();
        Pair.RunUntil(() => Has(Pair.ClientSide, ConnectionEventKind.PathOpened, id) && Has(Pair.ServerSide, ConnectionEventKind.PathOpened, id));
        return id;
    }

    /// <summary>Lets an end send frames that it would not.</summary>
    internal void Forge(Connection attacker, ForgedPacket.Writing write)
    {
        bool isClient = attacker == Client;
        Pair.Network.Inject(
            isClient ? Pair.ClientAddress : Pair.ServerAddress,
            isClient ? Pair.ServerAddress : Pair.ClientAddress,
            ForgedPacket.Seal(attacker, write));
    }

    public static bool Has(SimulatedConnection side, ConnectionEventKind kind, PathId id) =>
        side.Events.Exists(e => e.Kind == kind && e.PathId == id);

    public static PathSnapshot Get(Connection connection, PathId id)
    {
        Assert.True(connection.TryGetPath(id, out PathSnapshot path));
        return path;
    }

    /// <summary>Sends so many bytes from the client on a new stream, and waits until the server has them all.</summary>
    public TimeSpan Transfer(int length, TimeSpan? limit = null)
    {
        Instant start = Now;
        Assert.True(Client.TryOpenStream(StreamDirection.Unidirectional, out StreamId id));
        byte[] chunk = new byte[4096];
        int written = 0, read = 0;
        bool isAccepted = false;
        StreamId accepted = default;
        while (read < length)
        {
            Assert.True(Now - start < (limit ?? TimeSpan.FromMinutes(1)), $"{read} of {length} bytes after {Now - start}");
            while (written < length && Client.Write(id, chunk.AsSpan(0, Math.Min(chunk.Length, length - written))) is { Accepted: > 0 } write)
                written += write.Accepted;
            Pair.Drain();
            Pair.RunFor(TimeSpan.FromMilliseconds(1));
            isAccepted |= !isAccepted && Server.TryAcceptStream(StreamDirection.Unidirectional, out accepted);
            while (isAccepted && Server.Read(accepted, chunk) is { Count: > 0 } part)
                read += part.Count;
        }

        Client.Finish(id);
        Pair.Drain();
        while (Server.Read(accepted, chunk).Status != StreamStatus.Finished)
            Pair.RunFor(TimeSpan.FromMilliseconds(1));
        return Now - start;
    }
}
