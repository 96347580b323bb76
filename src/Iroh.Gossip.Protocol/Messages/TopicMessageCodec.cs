using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base;
using Iroh.Base.Serialization;

namespace Iroh.Gossip.Messages;

/// <summary>
/// The bytes of a <see cref="TopicMessage"/> as iroh-gossip 0.35 to 0.101 writes them (postcard): a tag for membership or broadcast, a
/// tag for the kind, the fields. What follows a message is ignored, as there.
/// </summary>
public static class TopicMessageCodec
{
    private const uint Membership = 0;
    private const uint Broadcast = 1;

    private const uint Join = 0;
    private const uint ForwardJoin = 1;
    private const uint Shuffle = 2;
    private const uint ShuffleReply = 3;
    private const uint Neighbor = 4;
    private const uint Disconnect = 5;

    private const uint Payload = 0;
    private const uint Prune = 1;
    private const uint Graft = 2;
    private const uint Announcement = 3;

    private const uint SwarmScope = 0;
    private const uint NeighborsScope = 1;

    // The shortest that each element of a list can be: what is left of the message bounds how many there are.
    private const int PeerInfoLengthMin = EndpointId.Length + 1;
    private const int NoticeLengthMin = MessageId.Length + 1;

    /// <summary>The longest that a message is beside its content: two tags, id, length, scope and round.</summary>
    public const int PayloadOverheadMax = 2 + MessageId.Length + 3 + 1 + 3;

    /// <summary>The longest notice in an <see cref="AnnouncementMessage"/>.</summary>
    public const int NoticeLengthMax = MessageId.Length + 3;

    /// <summary>The message's bytes.</summary>
    public static byte[] Encode(TopicMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var writer = new PostcardWriter();
        Write(writer, message);
        return writer.ToArray();
    }

    /// <summary>Reads a message. False for bytes that are none; an id that is no point of the curve makes the message none.</summary>
    /// <param name="bytes">One frame's body.</param>
    /// <param name="message">The message; it keeps nothing of <paramref name="bytes"/>.</param>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out TopicMessage? message)
    {
        message = null;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadUInt32(out uint family) || !reader.TryReadUInt32(out uint kind))
            return false;
        message = family switch
        {
            Membership => ReadMembership(ref reader, kind),
            Broadcast => ReadBroadcast(ref reader, kind),
            _ => null,
        };
        return message is not null;
    }

    private static void Write(PostcardWriter writer, TopicMessage message)
    {
        switch (message)
        {
            case JoinMessage join:
                WriteTags(writer, Membership, Join);
                WriteData(writer, join.Data);
                break;
            case ForwardJoinMessage forward:
                WriteTags(writer, Membership, ForwardJoin);
                WritePeer(writer, forward.Peer);
                writer.WriteVarint((ulong)forward.TimeToLive);
                break;
            case ShuffleMessage shuffle:
                WriteTags(writer, Membership, Shuffle);
                writer.WriteFixed(shuffle.Origin.Span);
                WritePeers(writer, shuffle.Nodes);
                writer.WriteVarint((ulong)shuffle.TimeToLive);
                break;
            case ShuffleReplyMessage reply:
                WriteTags(writer, Membership, ShuffleReply);
                WritePeers(writer, reply.Nodes);
                break;
            case NeighborMessage neighbor:
                WriteTags(writer, Membership, Neighbor);
                writer.WriteVarint((ulong)neighbor.Priority);
                WriteData(writer, neighbor.Data);
                break;
            case DisconnectMessage disconnect:
                WriteTags(writer, Membership, Disconnect);
                writer.WriteBool(disconnect.IsAlive);
                // A field that is no longer used.
                writer.WriteBool(false);
                break;
            default:
                WriteBroadcast(writer, message);
                break;
        }
    }

    private static void WriteBroadcast(PostcardWriter writer, TopicMessage message)
    {
        switch (message)
        {
            case PayloadMessage payload:
                WriteTags(writer, Broadcast, Payload);
                writer.WriteFixed(payload.Id.Span);
                writer.WriteBytes(payload.Content.Span);
                writer.WriteVarint(payload.Round is null ? NeighborsScope : SwarmScope);
                if (payload.Round is { } round)
                    writer.WriteVarint((ulong)round);
                break;
            case PruneMessage:
                WriteTags(writer, Broadcast, Prune);
                break;
            case GraftMessage graft:
                WriteTags(writer, Broadcast, Graft);
                writer.WriteBool(graft.Id is not null);
                if (graft.Id is { } id)
                    writer.WriteFixed(id.Span);
                writer.WriteVarint((ulong)graft.Round);
                break;
            case AnnouncementMessage announcement:
                WriteTags(writer, Broadcast, Announcement);
                writer.WriteVarint((ulong)announcement.Notices.Length);
                foreach (MessageNotice notice in announcement.Notices)
                {
                    writer.WriteFixed(notice.Id.Span);
                    writer.WriteVarint((ulong)notice.Round);
                }

                break;
        }
    }

    private static void WriteTags(PostcardWriter writer, uint family, uint kind)
    {
        writer.WriteVarint(family);
        writer.WriteVarint(kind);
    }

    private static void WriteData(PostcardWriter writer, PeerData? data)
    {
        writer.WriteBool(data is not null);
        if (data is not null)
            writer.WriteBytes(data.Span);
    }

    private static void WritePeer(PostcardWriter writer, PeerInfo peer)
    {
        writer.WriteFixed(peer.Id.Span);
        WriteData(writer, peer.Data);
    }

    private static void WritePeers(PostcardWriter writer, ImmutableArray<PeerInfo> peers)
    {
        writer.WriteVarint((ulong)peers.Length);
        foreach (PeerInfo peer in peers)
            WritePeer(writer, peer);
    }

    private static TopicMessage? ReadMembership(ref PostcardReader reader, uint kind)
    {
        switch (kind)
        {
            case Join:
                return TryReadData(ref reader, out PeerData? data) ? new JoinMessage(data) : null;
            case ForwardJoin:
                return TryReadPeer(ref reader, out PeerInfo? peer) && reader.TryReadUInt16(out ushort walk)
                    ? new ForwardJoinMessage(peer, walk)
                    : null;
            case Shuffle:
                return TryReadId(ref reader, out EndpointId origin)
                    && TryReadPeers(ref reader, out ImmutableArray<PeerInfo> nodes)
                    && reader.TryReadUInt16(out ushort hops)
                    ? new ShuffleMessage(origin, nodes, hops)
                    : null;
            case ShuffleReply:
                return TryReadPeers(ref reader, out ImmutableArray<PeerInfo> known) ? new ShuffleReplyMessage(known) : null;
            case Neighbor:
                return reader.TryReadUInt32(out uint priority) && priority <= (uint)NeighborPriority.Low && TryReadData(ref reader, out PeerData? own)
                    ? new NeighborMessage((NeighborPriority)priority, own)
                    : null;
            case Disconnect:
                return reader.TryReadBool(out bool isAlive) && reader.TryReadBool(out _) ? new DisconnectMessage(isAlive) : null;
            default:
                return null;
        }
    }

    private static TopicMessage? ReadBroadcast(ref PostcardReader reader, uint kind)
    {
        switch (kind)
        {
            case Payload:
                return ReadPayload(ref reader);
            case Prune:
                return new PruneMessage();
            case Graft:
                MessageId missing = default;
                return reader.TryReadBool(out bool hasId)
                    && (!hasId || TryReadMessageId(ref reader, out missing))
                    && reader.TryReadUInt16(out ushort round)
                    ? new GraftMessage(hasId ? missing : null, round)
                    : null;
            case Announcement:
                return ReadAnnouncement(ref reader);
            default:
                return null;
        }
    }

    private static PayloadMessage? ReadPayload(ref PostcardReader reader)
    {
        if (!TryReadMessageId(ref reader, out MessageId id)
            || !reader.TryReadBytes(out ReadOnlySpan<byte> content)
            || !reader.TryReadUInt32(out uint scope)
            || scope > NeighborsScope)
            return null;
        if (scope == NeighborsScope)
            return new PayloadMessage(id, content.ToArray(), null);
        return reader.TryReadUInt16(out ushort round) ? new PayloadMessage(id, content.ToArray(), round) : null;
    }

    private static AnnouncementMessage? ReadAnnouncement(ref PostcardReader reader)
    {
        if (!reader.TryReadUInt64(out ulong count) || count > (ulong)(reader.Remaining / NoticeLengthMin))
            return null;
        var notices = ImmutableArray.CreateBuilder<MessageNotice>((int)count);
        for (ulong i = 0; i < count; i++)
        {
            if (!TryReadMessageId(ref reader, out MessageId id) || !reader.TryReadUInt16(out ushort round))
                return null;
            notices.Add(new MessageNotice(id, round));
        }

        return new AnnouncementMessage(notices.MoveToImmutable());
    }

    private static bool TryReadMessageId(ref PostcardReader reader, out MessageId id)
    {
        bool isThere = reader.TryReadFixed(MessageId.Length, out ReadOnlySpan<byte> bytes);
        id = isThere ? MessageId.FromBytes(bytes) : default;
        return isThere;
    }

    private static bool TryReadId(ref PostcardReader reader, out EndpointId id)
    {
        id = default;
        return reader.TryReadFixed(EndpointId.Length, out ReadOnlySpan<byte> bytes) && EndpointId.TryFromBytes(bytes, out id);
    }

    private static bool TryReadData(ref PostcardReader reader, out PeerData? data)
    {
        data = null;
        if (!reader.TryReadBool(out bool isThere))
            return false;
        if (!isThere)
            return true;
        if (!reader.TryReadBytes(out ReadOnlySpan<byte> bytes))
            return false;
        data = new PeerData(bytes);
        return true;
    }

    private static bool TryReadPeer(ref PostcardReader reader, [NotNullWhen(true)] out PeerInfo? peer)
    {
        peer = TryReadId(ref reader, out EndpointId id) && TryReadData(ref reader, out PeerData? data) ? new PeerInfo(id, data) : null;
        return peer is not null;
    }

    private static bool TryReadPeers(ref PostcardReader reader, out ImmutableArray<PeerInfo> peers)
    {
        peers = [];
        if (!reader.TryReadUInt64(out ulong count) || count > (ulong)(reader.Remaining / PeerInfoLengthMin))
            return false;
        var read = ImmutableArray.CreateBuilder<PeerInfo>((int)count);
        for (ulong i = 0; i < count; i++)
        {
            if (!TryReadPeer(ref reader, out PeerInfo? peer))
                return false;
            read.Add(peer);
        }

        peers = read.MoveToImmutable();
        return true;
    }
}
