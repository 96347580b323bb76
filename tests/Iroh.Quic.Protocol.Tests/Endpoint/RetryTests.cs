using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Endpoint;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Endpoint;

/// <summary>A server that asks clients to show that they receive at their address (RFC 9000 §8.1.2).</summary>
public sealed class RetryTests
{
    private static readonly ConnectionId First = new([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    private static readonly ConnectionId Second = new([8, 7, 6, 5, 4, 3, 2, 1]);
    private static readonly Instant Issued = new(5_000_000_000);

    private readonly RetryTokens _tokens = new(new byte[32]);

    [Fact]
    public void A_client_completes_by_way_of_a_Retry_and_counts_as_validated_from_the_start()
    {
        var pair = new Pair(serverConfiguration: new EndpointConfiguration { HandshakesBeforeRetry = 0 });
        var seen = new List<PacketType>();
        pair.Network.Intercept = datagram =>
        {
            Assert.True(PacketHeader.TryParse(datagram.Payload, ConnectionIdGenerator.LocalLength, out ParsedHeader header));
            seen.Add(header.Type);
            if (header.Type == PacketType.Retry)
                Assert.InRange(datagram.Payload.Length, 1, 120);
            return true;
        };

        pair.Establish();

        Assert.Equal([PacketType.Initial, PacketType.Retry, PacketType.Initial], seen.Take(3));
        Assert.Single(seen, type => type == PacketType.Retry);
        Assert.Single(pair.Server.Connections);
    }

    [Fact]
    public void Clients_are_asked_once_there_are_many_handshakes_and_not_before()
    {
        var pair = new Pair(serverConfiguration: new EndpointConfiguration { HandshakesBeforeRetry = 2 });
        int retries = 0;
        pair.Network.Intercept = datagram =>
        {
            // The server's answers are lost, so that handshakes stay open.
            bool fromServer = datagram.Source == Pair.ServerAddress;
            if (fromServer && PacketHeader.TryParse(datagram.Payload, ConnectionIdGenerator.LocalLength, out ParsedHeader header)
                && header.Type == PacketType.Retry)
            {
                retries++;
                return true;
            }

            return !fromServer;
        };

        for (int i = 0; i < 4; i++)
            pair.Connect();
        pair.RunFor(TimeSpan.FromMilliseconds(200));

        Assert.Equal(2, retries);
        Assert.Equal(4, pair.Server.Connections.Count);
        Assert.Equal(4, pair.Server.Core.HandshakeCount);
    }

    [Fact]
    public void A_flood_from_forged_addresses_takes_no_more_places_than_are_free_for_all()
    {
        var pair = new Pair(serverConfiguration: new EndpointConfiguration { HandshakesBeforeRetry = 3 });
        byte[] initial = [];
        pair.Network.Intercept = datagram =>
        {
            initial = datagram.Payload;
            return false;
        };
        for (int i = 0; i < 20; i++)
        {
            pair.Connect();
            pair.Network.Inject(NetworkAddress.FromIPv4([10, 9, 9, (byte)i], 999), Pair.ServerAddress, initial);
            pair.RunFor(TimeSpan.FromMilliseconds(50));
        }

        Assert.Equal(3, pair.Server.Connections.Count);
    }

    [Fact]
    public void A_token_counts_for_its_address_its_connection_id_and_its_time_only()
    {
        byte[] token = Write();

        Assert.True(_tokens.TryRead(Issued + TimeSpan.FromSeconds(15), Pair.ClientAddress, Second, token, out ConnectionId original));
        Assert.Equal(First, original);
        Assert.False(_tokens.TryRead(Issued + TimeSpan.FromSeconds(15.1), Pair.ClientAddress, Second, token, out _));
        Assert.False(_tokens.TryRead(Issued, NetworkAddress.FromIPv4([10, 0, 0, 1], 1112), Second, token, out _));
        Assert.False(_tokens.TryRead(Issued, NetworkAddress.FromIPv4([10, 0, 0, 3], 1111), Second, token, out _));
        Assert.False(_tokens.TryRead(Issued, Pair.ClientAddress, First, token, out _));
        byte[] otherKey = new byte[32];
        otherKey[0] = 1;
        Assert.False(new RetryTokens(otherKey).TryRead(Issued, Pair.ClientAddress, Second, token, out _));
    }

    [Fact]
    public void Changed_and_random_tokens_are_never_taken()
    {
        byte[] token = Write();
        for (ulong seed = 0; seed < 5000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] changed;
            if (random.NextBelow(2) == 0)
            {
                changed = [.. token];
                changed[(int)random.NextBelow((ulong)token.Length)] ^= (byte)(1 + random.NextBelow(255));
            }
            else
            {
                changed = new byte[(int)random.NextBelow(80)];
                random.Fill(changed);
            }

            Assert.False(_tokens.TryRead(Issued, Pair.ClientAddress, Second, changed, out _), $"seed {seed}");
        }

        for (int length = 0; length < token.Length; length++)
            Assert.False(_tokens.TryRead(Issued, Pair.ClientAddress, Second, token.AsSpan(0, length), out _));
    }

    private byte[] Write()
    {
        byte[] token = new byte[RetryTokens.LengthMax];
        return token[.._tokens.Write(Issued, Pair.ClientAddress, First, Second, token)];
    }
}
