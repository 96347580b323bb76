using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

/// <summary>A client's first Initial is answered by packets that the test makes.</summary>
public class VersionAndRetryTests
{
    private readonly Pair _pair = new();
    private readonly byte[] _answer = new byte[1200];
    private byte[] _initial = [];

    public VersionAndRetryTests()
    {
        _pair.Network.Intercept = datagram =>
        {
            _initial = datagram.Payload;
            return false;
        };
        _pair.Connect();
    }

    private Connection Client => _pair.ClientSide.Connection;

    [Fact]
    public void A_server_that_speaks_no_version_of_ours_ends_the_attempt()
    {
        Answer(VersionNegotiation([0xff00_0099, 0x0a0a_0a0a]));
        Assert.Equal(CloseCause.VersionMismatch, Client.CloseReason!.Cause);
        Assert.True(Client.IsDrained);
        Assert.Equal(0, _pair.Client.Core.ConnectionCount);
    }

    [Fact]
    public void Version_negotiation_that_lists_our_version_is_ignored()
    {
        Answer(VersionNegotiation([0xff00_0099, QuicVersion.V1]));
        Assert.Null(Client.CloseReason);
    }

    [Fact]
    public void Version_negotiation_that_answers_another_packet_is_ignored()
    {
        byte[] answer = VersionNegotiation([0xff00_0099]);
        answer[^7] ^= 1; // the source id, which is the client's destination id
        Answer(answer);
        Assert.Null(Client.CloseReason);
    }

    [Fact]
    public void A_client_follows_one_Retry_and_repeats_its_token()
    {
        ConnectionId server = new([1, 2, 3, 4, 5, 6, 7, 8]);
        Answer(Retry(server, "token"u8));
        Assert.True(PacketHeader.TryParse(_initial, ConnectionIdGenerator.LocalLength, out ParsedHeader header));
        Assert.Equal(server, header.DestinationId);
        Assert.Equal("token"u8, header.Token);
        Assert.Equal(1200, _initial.Length);
        byte[] second = _initial;

        Answer(Retry(new ConnectionId([9, 9, 9, 9, 9, 9, 9, 9]), "other"u8));
        Assert.Same(second, _initial);
        _pair.RunFor(TimeSpan.FromSeconds(2)); // the probe has the token too
        Assert.NotSame(second, _initial);
        Assert.True(PacketHeader.TryParse(_initial, ConnectionIdGenerator.LocalLength, out header));
        Assert.Equal("token"u8, header.Token);
    }

    [Fact]
    public void A_Retry_with_a_wrong_tag_is_ignored()
    {
        byte[] retry = Retry(new ConnectionId([1, 2, 3, 4, 5, 6, 7, 8]), "token"u8);
        retry[^1] ^= 1;
        byte[] first = _initial;
        Answer(retry);
        Assert.Same(first, _initial);
    }

    [Fact]
    public void A_server_that_does_not_admit_its_Retry_is_refused()
    {
        // A server that has heard nothing of the Retry answers to the id that was chosen by it.
        Answer(Retry(new ConnectionId([1, 2, 3, 4, 5, 6, 7, 8]), "token"u8));
        _pair.Network.Intercept = null;
        _pair.Network.Inject(Pair.ClientAddress, Pair.ServerAddress, _initial);
        _pair.RunUntil(() => Client.CloseReason is not null);
        Assert.Equal(CloseCause.LocalTransport, Client.CloseReason!.Cause);
        Assert.Equal(TransportErrorCode.TransportParameterError, Client.CloseReason.Code);
    }

    [Fact]
    public void A_server_answers_other_versions_with_the_one_it_speaks()
    {
        byte[]? answer = null;
        _pair.Network.Intercept = datagram =>
        {
            answer = datagram.Payload;
            return false;
        };
        byte[] strange = [.. _initial];
        strange[4] = 2;
        _pair.Network.Inject(Pair.ClientAddress, Pair.ServerAddress, strange);
        _pair.Network.Inject(Pair.ClientAddress, Pair.ServerAddress, strange.AsSpan(0, 1199)); // too small to be answered
        _pair.RunFor(TimeSpan.FromMilliseconds(50));
        Assert.NotNull(answer);
        Assert.Equal(1, _pair.Network.DatagramsSent - 3); // the client's first, two injected
        Assert.True(PacketHeader.TryParse(answer, ConnectionIdGenerator.LocalLength, out ParsedHeader header));
        Assert.Equal(PacketType.VersionNegotiation, header.Type);
        Assert.True(VersionNegotiationPacket.Lists(answer, header, QuicVersion.V1));
        Assert.False(VersionNegotiationPacket.Lists(answer, header, 2));
        Assert.Empty(_pair.Server.Connections);
    }

    private byte[] VersionNegotiation(ReadOnlySpan<uint> versions)
    {
        Assert.True(PacketHeader.TryParse(_initial, ConnectionIdGenerator.LocalLength, out ParsedHeader header));
        var writer = new WireWriter(_answer);
        VersionNegotiationPacket.Write(ref writer, 0, header.SourceIdBytes, header.DestinationIdBytes, versions);
        return writer.Written.ToArray();
    }

    private byte[] Retry(ConnectionId server, ReadOnlySpan<byte> token)
    {
        Assert.True(PacketHeader.TryParse(_initial, ConnectionIdGenerator.LocalLength, out ParsedHeader header));
        var writer = new WireWriter(_answer);
        RetryPacket.Write(ref writer, 0, header.SourceId, server, header.DestinationId, token);
        return writer.Written.ToArray();
    }

    private void Answer(byte[] packet)
    {
        _pair.Network.Inject(Pair.ServerAddress, Pair.ClientAddress, packet);
        _pair.RunFor(TimeSpan.FromMilliseconds(50));
    }
}
