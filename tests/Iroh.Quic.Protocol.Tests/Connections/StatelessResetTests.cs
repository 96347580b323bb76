using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class StatelessResetTests
{
    [Fact]
    public void A_server_that_forgot_the_connection_resets_it()
    {
        Pair pair = Forget(out SimulatedConnection client);
        client.Connection.SendDatagram(new byte[100]);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(50));
        Assert.Equal(CloseCause.StatelessReset, client.Connection.CloseReason!.Cause);
        Assert.True(client.Connection.IsDrained);
        Assert.Equal(0, pair.Client.Core.ConnectionCount);
    }

    [Fact]
    public void Resets_are_smaller_than_what_they_answer_and_never_answer_each_other()
    {
        Pair pair = Forget(out SimulatedConnection client);
        var sizes = new List<int>();
        pair.Server.Sending += (_, bytes) => sizes.Add(bytes.Length);
        client.Connection.SendDatagram(new byte[30]);
        int triggerLength = 0;
        pair.Client.Sending += (_, bytes) => triggerLength = bytes.Length;
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(50));
        int size = Assert.Single(sizes);
        Assert.True(size < triggerLength);
    }

    [Fact]
    public void Resets_are_rare()
    {
        var pair = new Pair();
        int resets = 0;
        pair.Server.Sending += (_, _) => resets++;
        byte[] stray = new byte[60];
        for (int i = 0; i < 1000; i++)
        {
            pair.Random.Fill(stray);
            stray[0] = 0x40;
            pair.Network.Inject(Pair.ClientAddress, Pair.ServerAddress, stray);
            pair.RunFor(TimeSpan.FromMilliseconds(1));
        }

        Assert.InRange(resets, 45, 51); // at most one in 20 ms
    }

    [Fact]
    public void A_token_from_another_address_resets_nothing()
    {
        Pair pair = Forget(out SimulatedConnection client);
        client.Connection.SendDatagram(new byte[100]);
        pair.Network.Intercept = datagram =>
        {
            if (datagram.Source == Pair.ServerAddress)
                pair.Network.Inject(NetworkAddress.FromIPv4([10, 8, 8, 8], 88), Pair.ClientAddress, datagram.Payload);
            return datagram.Source != Pair.ServerAddress;
        };
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(50));
        Assert.Null(client.Connection.CloseReason);
    }

    // The endpoint's routes are gone, its reset key is not.
    private static Pair Forget(out SimulatedConnection client)
    {
        Pair pair = new Pair().Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));
        client = pair.ClientSide;
        pair.Server.Core.HandleConnectionEvent(pair.ServerSide.Handle, new EndpointEvent { Kind = EndpointEventKind.Drained });
        pair.Server.Connections.Clear();
        return pair;
    }
}
