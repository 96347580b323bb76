using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;

namespace Iroh.Relay.Tests.Client;

public sealed class RelayClientTests
{
    private static readonly SecretKey s_alice = SecretKey.FromBytes([.. Enumerable.Repeat((byte)1, 32)]);
    private static readonly SecretKey s_bob = SecretKey.FromBytes([.. Enumerable.Repeat((byte)2, 32)]);

    [Fact]
    public async Task Two_clients_exchange_datagrams_and_batches_through_a_relay()
    {
        await using var relay = new FakeRelay();
        var (atAlice, atBob) = (new RecordingReceiver(), new RecordingReceiver());
        await using var alice = Connect(relay, s_alice, atAlice);
        await using var bob = Connect(relay, s_bob, atBob);
        await atAlice.UntilAsync(RelayState.Connected);
        await atBob.UntilAsync(RelayState.Connected);

        Assert.True(alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, "one"u8, 0));
        ReceivedDatagrams one = await atBob.NextDatagramsAsync();
        Assert.Equal((s_alice.PublicKey, EcnCodepoint.Ect0, 3, relay.Url), (one.Source, one.Ecn, one.SegmentSize, one.Relay));
        Assert.Equal("one"u8, one.Payload);

        byte[] batch = new byte[10 * 1452 - 100];
        new SeededRandomSource(4).Fill(batch);
        Assert.True(bob.TrySend(s_alice.PublicKey, EcnCodepoint.CongestionExperienced, batch, 1452));
        ReceivedDatagrams ten = await atAlice.NextDatagramsAsync();
        Assert.Equal((s_bob.PublicKey, EcnCodepoint.CongestionExperienced, 1452), (ten.Source, ten.Ecn, ten.SegmentSize));
        Assert.Equal(batch, ten.Payload);
        Assert.Equal(10, bob.Statistics.DatagramsSent);
        Assert.Equal((1, 3), (bob.Statistics.DatagramsReceived, bob.Statistics.BytesReceived));
    }

    private static RelayClient Connect(FakeRelay relay, SecretKey key, RecordingReceiver receiver) =>
        new(new RelayClientOptions { Url = relay.Url, SecretKey = key }, receiver);
}
