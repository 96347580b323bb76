using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Codec.Frames;
using Iroh.Quic.Protocol.Tests.Simulation;
using Xunit.Sdk;

namespace Iroh.Quic.Protocol.Tests.Connections;

/// <summary>Whatever arrives, nothing throws, nothing hangs, and the connection stays usable or is closed in order.</summary>
public class HostilePeerTests
{
    [Fact]
    public void Random_datagrams_are_dropped()
    {
        Pair pair = new Pair(7).Establish();
        pair.Connect(); // a second connection, in its handshake
        pair.RunFor(pair.Network.Conditions.Latency);
        byte[] buffer = new byte[1500];
        for (int i = 0; i < 20_000; i++)
        {
            Span<byte> datagram = buffer.AsSpan(0, (int)pair.Random.NextBelow((ulong)buffer.Length + 1));
            pair.Random.Fill(datagram);
            bool toServer = pair.Random.NextBelow(2) == 0;
            if (datagram.Length > 30 && pair.Random.NextBelow(2) == 0)
                Address(pair, datagram, toServer);
            pair.Network.Inject(toServer ? Pair.ClientAddress : Pair.ServerAddress, toServer ? Pair.ServerAddress : Pair.ClientAddress, datagram);
            if (i % 100 == 0)
                pair.RunFor(TimeSpan.FromMilliseconds(1));
        }

        pair.RunFor(TimeSpan.FromSeconds(1));
        Assert.Null(pair.Client.Connections[0].Connection.CloseReason);
        Assert.Null(pair.Server.Connections[0].Connection.CloseReason);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Damaged_datagrams_break_no_connection(ulong part)
    {
        for (ulong seed = part * 100; seed < (part + 1) * 100; seed++)
        {
            var client = new TransferApplication((StreamDirection.Bidirectional, 20_000));
            var pair = new Pair(seed) { ServerApplication = new TransferApplication { StreamsExpected = 1 } };
            var random = new SeededRandomSource(seed);
            pair.Network.Intercept = datagram =>
            {
                if (random.NextBelow(4) == 0)
                    pair.Network.Inject(datagram.Source, datagram.Destination, Damage(datagram.Payload, random));
                return random.NextBelow(10) != 0;
            };
            pair.Connect(client);
            try
            {
                pair.RunUntil(() => client.IsComplete);
            }
            catch (Exception e)
            {
                throw new XunitException($"Seed {seed}: {e.Message} {pair.ClientSide.Connection.CloseReason}", e);
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_peer_with_the_keys_may_send_any_frames(ulong part)
    {
        ulong errors = 0;
        for (ulong seed = part * 300; seed < (part + 1) * 300; seed++)
        {
            try
            {
                var pair = new Pair(seed);
                pair.Establish();
                SendFrames(pair, new SeededRandomSource(seed));
                errors += pair.ServerSide.Connection.CloseReason is { Cause: CloseCause.LocalTransport } ? 1UL : 0;
            }
            catch (Exception e)
            {
                throw new XunitException($"Seed {seed}: {e}", e);
            }
        }

        Assert.InRange(errors, 100UL, 300UL); // most of what it sends is wrong
    }

    private static void SendFrames(Pair pair, SeededRandomSource random)
    {
        Connection attacker = pair.ClientSide.Connection, victim = pair.ServerSide.Connection;
        byte[] payload = new byte[1000];
        for (int i = 0; i < 50 && victim.CloseReason is null; i++)
        {
            var writer = new WireWriter(payload);
            for (ulong frames = 1 + random.NextBelow(4); frames > 0; frames--)
                WriteFrame(ref writer, random);
            byte[] datagram = ForgedPacket.Seal(attacker, writer.Written);
            pair.Network.Inject(Pair.ClientAddress, Pair.ServerAddress, datagram);
            pair.RunFor(TimeSpan.FromMilliseconds(random.NextBelow(3) * 20));
        }

        victim.Close(pair.Network.Now, 0, default);
        pair.Drain();
        pair.Client.Connections.Clear();
        pair.RunUntilQuiet();
        Assert.True(victim.IsDrained);
    }

    // A frame of any type with fields that are mostly small, so that they concern things that exist, and sometimes not.
    private static void WriteFrame(ref WireWriter writer, SeededRandomSource random)
    {
        ulong type = AnyFrame.Types[random.NextBelow((ulong)AnyFrame.Types.Length)];
        writer.WriteVarInt(random.NextBelow(40) == 0 ? random.NextBelow(0x100) : type);
        for (ulong fields = random.NextBelow(6); fields > 0; fields--)
        {
            ulong value = random.NextBelow(8) switch
            {
                0 => random.NextUInt64() & VarInt.Max,
                1 => random.NextBelow(2000),
                2 => 0,
                _ => random.NextBelow(16),
            };
            writer.WriteVarInt(value);
        }

        Span<byte> bytes = writer.Rest[..(int)random.NextBelow(40)];
        random.Fill(bytes);
        writer.Advance(bytes.Length);
    }

    // Makes the datagram one for a connection that exists.
    private static void Address(Pair pair, Span<byte> datagram, bool toServer)
    {
        SimulatedEndpoint sender = toServer ? pair.Client : pair.Server;
        Connection connection = sender.Connections[(int)pair.Random.NextBelow((ulong)sender.Connections.Count)].Connection;
        ConnectionId id = connection.Paths.First.RemoteIds.Active;
        if (pair.Random.NextBelow(2) == 0)
        {
            datagram[0] = (byte)(0x40 | (datagram[0] & 0x3f));
            id.Span.CopyTo(datagram[1..]);
        }
        else
        {
            datagram[0] |= 0xc0;
            new byte[] { 0, 0, 0, 1 }.CopyTo(datagram[1..]);
            datagram[5] = (byte)id.Length;
            id.Span.CopyTo(datagram[6..]);
            datagram[6 + id.Length] = (byte)pair.Random.NextBelow(21);
        }
    }

    private static byte[] Damage(byte[] payload, SeededRandomSource random)
    {
        byte[] damaged = [.. payload];
        switch (random.NextBelow(4))
        {
            case 0:
                return damaged[..(int)random.NextBelow((ulong)damaged.Length + 1)];
            case 1:
                byte[] tail = new byte[random.NextBelow(100)];
                random.Fill(tail);
                return [.. damaged, .. tail];
            case 2:
                return [.. damaged, .. damaged];
            default:
                for (ulong flips = 1 + random.NextBelow(8); flips > 0; flips--)
                    damaged[random.NextBelow((ulong)Math.Min(damaged.Length, 60))] = (byte)random.NextUInt64();
                return damaged;
        }
    }
}
