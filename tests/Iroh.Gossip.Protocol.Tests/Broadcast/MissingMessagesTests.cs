using System.Buffers.Binary;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip.Broadcast;

public sealed class MissingMessagesTests
{
    private static readonly TimeSpan s_first = TimeSpan.FromMilliseconds(80), s_repeat = TimeSpan.FromMilliseconds(40);
    private static readonly EndpointId[] s_peers = [.. Enumerable.Range(1, 5).Select(seed => SecretKey.Generate(new SeededRandomSource((ulong)seed)).PublicKey)];

    [Fact]
    public void The_last_advertiser_may_go_when_its_turn_is_next()
    {
        var missing = new MissingMessages(s_first, s_repeat);
        missing.Add(TimeSpan.Zero, Id(1), s_peers[0], 1);
        missing.Add(TimeSpan.Zero, Id(1), s_peers[1], 2);
        Assert.True(missing.TryTakeDue(s_first, out MessageId asked, out EndpointId advertiser, out int round));
        Assert.Equal((Id(1), s_peers[0], 1), (asked, advertiser, round));
        missing.Remove(s_peers[1]);
        Assert.True(missing.TryTakeDue(s_first + s_repeat, out _, out advertiser, out _));
        Assert.Equal(s_peers[0], advertiser);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_happens_who_is_asked_has_announced_the_message_and_is_there(ulong seed)
    {
        var random = new SeededRandomSource(seed);
        var missing = new MissingMessages(s_first, s_repeat);
        var announced = new HashSet<(MessageId Id, EndpointId Peer)>();
        TimeSpan now = TimeSpan.Zero;
        for (int step = 0; step < 20_000; step++)
        {
            MessageId id = Id((int)random.NextBelow(8));
            EndpointId peer = s_peers[random.NextBelow((ulong)s_peers.Length)];
            switch (random.NextBelow(8))
            {
                case 0:
                    missing.Remove(peer);
                    announced.RemoveWhere(one => one.Peer == peer);
                    break;
                case 1:
                    missing.Remove(id);
                    announced.RemoveWhere(one => one.Id == id);
                    break;
                case < 5:
                    missing.Add(now, id, peer, (int)random.NextBelow(5));
                    announced.Add((id, peer));
                    break;
                default:
                    now += TimeSpan.FromMilliseconds(random.NextBelow(60));
                    while (missing.TryTakeDue(now, out MessageId due, out EndpointId asked, out _))
                        Assert.True(announced.Contains((due, asked)), $"seed {seed}, step {step}");
                    break;
            }
        }

        // All that is left is given up in the end.
        for (int i = 0; i < 100; i++)
        {
            now += TimeSpan.FromSeconds(1);
            while (missing.TryTakeDue(now, out _, out _, out _))
            {
            }
        }

        Assert.Equal((0, TimeSpan.MaxValue), (missing.Count, missing.NextDeadline));
    }

    private static MessageId Id(int number)
    {
        byte[] content = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(content, number);
        return MessageId.OfContent(content);
    }
}
