using System.Collections.Immutable;
using System.Net;
using System.Text.Json;
using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Gossip.Messages;

public class TopicMessageCodecTests
{
    private static readonly JsonElement s_vectors = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "vectors", "gossip-frames.json"))).RootElement;

    public static TheoryData<string, string> Captured
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (JsonElement frame in s_vectors.GetProperty("frames").EnumerateArray())
                data.Add(frame.GetProperty("what").GetString()!, frame.GetProperty("v1_frame_body").GetString()!);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Captured))]
    public void A_captured_message_is_read_and_written_back_byte_for_byte(string what, string hex)
    {
        byte[] bytes = Convert.FromHexString(hex);
        Assert.True(TopicMessageCodec.TryRead(bytes, out TopicMessage? message), what);
        Assert.Equal(hex, Convert.ToHexStringLower(TopicMessageCodec.Encode(message)));
        for (int length = 0; length < bytes.Length; length++)
            Assert.False(TopicMessageCodec.TryRead(bytes.AsSpan(0, length), out _), $"{what}: {length} bytes are enough");
    }

    [Fact]
    public void Captured_messages_say_what_was_captured()
    {
        EndpointId fake = EndpointId.Parse(s_vectors.GetProperty("fake_id").GetString()!);
        EndpointId real = EndpointId.Parse(s_vectors.GetProperty("real_id").GetString()!);

        JoinMessage join = Assert.IsType<JoinMessage>(Read(0));
        Assert.True(PeerAddresses.TryDecode(real, join.Data!, out EndpointAddress? address));
        Assert.Equal("https://use1-1.relay.iroh.network./", address.RelayUrls.Single().ToString());
        Assert.Equal([IPAddress.Loopback, IPAddress.IPv6Loopback], address.DirectAddresses.Select(direct => direct.Address));
        Assert.Equal(join.Data, PeerAddresses.Encode(address));

        Assert.Equal(new NeighborMessage(NeighborPriority.High, null), Read(1));
        PayloadMessage hello = Assert.IsType<PayloadMessage>(Read(3));
        Assert.Equal(("hello swarm", 0), (System.Text.Encoding.UTF8.GetString(hello.Content.Span), hello.Round));
        Assert.Equal(MessageId.OfContent("hello swarm"u8), hello.Id);
        Assert.Null(Assert.IsType<PayloadMessage>(Read(4)).Round);
        Assert.IsType<PruneMessage>(Read(7));
        Assert.Equal([new MessageNotice(MessageId.OfContent("unseen"u8), 2)], Assert.IsType<AnnouncementMessage>(Read(8)).Notices);
        Assert.Equal(new GraftMessage(MessageId.OfContent("unseen"u8), 2), Read(9));
        ShuffleMessage shuffle = Assert.IsType<ShuffleMessage>(Read(13));
        Assert.Equal((fake, 0), (shuffle.Origin, shuffle.TimeToLive));
        Assert.Equal(shuffle.Nodes, Assert.IsType<ShuffleReplyMessage>(Read(14)).Nodes);
    }

    [Fact]
    public void Messages_that_nobody_captured_have_the_bytes_that_the_source_says()
    {
        EndpointId id = SecretKey.FromBytes(new byte[32]).PublicKey;
        Assert.Equal($"0001{id}01020a0b8701", Hex(new ForwardJoinMessage(new PeerInfo(id, new PeerData([10, 11])), 135)));
        Assert.Equal("00050100", Hex(new DisconnectMessage(IsAlive: true)));
        Assert.Equal("01020003", Hex(new GraftMessage(null, 3)));
        Assert.Equal("00040100", Hex(new NeighborMessage(NeighborPriority.Low, null)));
    }

    [Fact]
    public void A_count_that_the_frame_cannot_hold_is_refused_before_anything_is_allocated()
    {
        Assert.False(TopicMessageCodec.TryRead([1, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], out _));
        Assert.False(TopicMessageCodec.TryRead([0, 3, 0xff, 0xff, 0xff, 0xff, 7], out _));
    }

    [Fact]
    public void An_id_that_is_no_key_makes_the_message_none()
    {
        byte[] bytes = new byte[2 + 1 + 33];
        (bytes[1], bytes[2], bytes[3], bytes[34]) = (3, 1, 2, 0x80);
        Assert.False(TopicMessageCodec.TryRead(bytes, out _));
    }

    [Fact]
    public void Any_message_survives_the_codec_and_any_bytes_the_reader()
    {
        const ulong Seed = 20261123;
        var random = new SeededRandomSource(Seed);
        EndpointId[] ids = [.. Enumerable.Range(0, 8).Select(i => SecretKey.FromBytes(Bytes(random, 32)).PublicKey)];
        for (int i = 0; i < 20_000; i++)
        {
            TopicMessage message = RandomMessage(random, ids);
            byte[] bytes = TopicMessageCodec.Encode(message);
            Assert.True(TopicMessageCodec.TryRead(bytes, out TopicMessage? read), $"seed {Seed}, {i}: {message}");
            Assert.Equal(bytes, TopicMessageCodec.Encode(read));

            for (int flips = (int)random.NextBelow(4); flips >= 0; flips--)
                bytes[(int)random.NextBelow((ulong)bytes.Length)] = (byte)random.NextUInt64();
            if (TopicMessageCodec.TryRead(bytes.AsSpan(0, (int)random.NextBelow((ulong)bytes.Length + 1)), out read) && read is JoinMessage { Data: { } data })
                PeerAddresses.TryDecode(ids[0], data, out _);
            byte[] noise = Bytes(random, (int)random.NextBelow(100));
            TopicMessageCodec.TryRead(noise, out _);
            PeerAddresses.TryDecode(ids[0], new PeerData(noise), out _);
        }
    }

    [Fact]
    public void Own_addresses_fit_what_others_pass_on()
    {
        EndpointId id = SecretKey.FromBytes(new byte[32]).PublicKey;
        IEnumerable<TransportAddress> many = Enumerable.Range(1, 40).Select(i => TransportAddress.Ip(new IPEndPoint(new IPAddress(Bytes(new SeededRandomSource((ulong)i), 16)), 60_000)));
        var relay = TransportAddress.Relay(RelayUrl.Parse("https://" + new string('a', 200) + ".example/"));
        PeerData data = PeerAddresses.Encode(new EndpointAddress(id, many.Append(relay)));
        Assert.InRange(data.Length, 1, Membership.PeerDirectory.DataLengthMax);
        Assert.True(PeerAddresses.TryDecode(id, data, out EndpointAddress? read));
        Assert.Equal(PeerAddresses.WrittenMax + 1, read.Addresses.Count);
    }

    private static TopicMessage Read(int index)
    {
        byte[] bytes = Convert.FromHexString(s_vectors.GetProperty("frames")[index].GetProperty("v1_frame_body").GetString()!);
        Assert.True(TopicMessageCodec.TryRead(bytes, out TopicMessage? message));
        return message;
    }

    private static string Hex(TopicMessage message) => Convert.ToHexStringLower(TopicMessageCodec.Encode(message));

    private static TopicMessage RandomMessage(SeededRandomSource random, EndpointId[] ids)
    {
        EndpointId Id() => ids[random.NextBelow((ulong)ids.Length)];
        PeerData? Data() => random.NextBelow(3) == 0 ? null : new PeerData(Bytes(random, (int)random.NextBelow(40)));
        PeerInfo Peer() => new(Id(), Data());
        ImmutableArray<PeerInfo> Peers() => [.. Enumerable.Range(0, (int)random.NextBelow(6)).Select(_ => Peer())];
        int Number() => (int)random.NextBelow(ushort.MaxValue + 1);
        MessageId Message() => MessageId.FromBytes(Bytes(random, 32));
        return random.NextBelow(10) switch
        {
            0 => new JoinMessage(Data()),
            1 => new ForwardJoinMessage(Peer(), Number()),
            2 => new ShuffleMessage(Id(), Peers(), Number()),
            3 => new ShuffleReplyMessage(Peers()),
            4 => new NeighborMessage((NeighborPriority)random.NextBelow(2), Data()),
            5 => new DisconnectMessage(random.NextBelow(2) == 1),
            6 => new PayloadMessage(Message(), Bytes(random, (int)random.NextBelow(60)), random.NextBelow(2) == 1 ? Number() : null),
            7 => new PruneMessage(),
            8 => new GraftMessage(random.NextBelow(2) == 1 ? Message() : null, Number()),
            _ => new AnnouncementMessage([.. Enumerable.Range(0, (int)random.NextBelow(5)).Select(_ => new MessageNotice(Message(), Number()))]),
        };
    }

    private static byte[] Bytes(SeededRandomSource random, int length)
    {
        byte[] bytes = new byte[length];
        random.Fill(bytes);
        return bytes;
    }
}
