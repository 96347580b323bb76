using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Outbound;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>Takes a datagram apart and has each packet unprotected, read and acknowledged, in the order in which they are in it.</summary>
internal sealed class DatagramReceiver
{
    private readonly Side _side;
    private readonly ConnectionState _state;
    private readonly Lifecycle _lifecycle;
    private readonly ConnectionKeys _keys;
    private readonly HandshakeIds _ids;
    private readonly HandshakeProgress _handshake;
    private readonly PeerAddress _peerAddress;
    private readonly PathTable _paths;
    private readonly PathMovement _movement;
    private readonly PacketSpaces _spaces;
    private readonly HeaderFields _headerFields;
    private readonly Acknowledgements _acknowledgements;
    private readonly FrameDispatcher _dispatcher;
    private readonly PacketUnprotector _unprotector;
    private readonly EarlyPackets _early = new();
    private readonly Queue<EndpointEvent> _endpointEvents;
    private readonly TraceSink? _trace;

    public DatagramReceiver(
        ConnectionSetup setup,
        ConnectionState state,
        Lifecycle lifecycle,
        ConnectionKeys keys,
        HandshakeIds ids,
        HandshakeProgress handshake,
        PathTable paths,
        PathMovement movement,
        PacketSpaces spaces,
        HeaderFields headerFields,
        Acknowledgements acknowledgements,
        FrameDispatcher dispatcher,
        Queue<EndpointEvent> endpointEvents)
    {
        (_side, _trace) = (setup.Side, setup.Trace);
        (_state, _lifecycle, _keys, _ids, _handshake) = (state, lifecycle, keys, ids, handshake);
        (_paths, _movement, _spaces, _headerFields) = (paths, movement, spaces, headerFields);
        (_acknowledgements, _dispatcher, _endpointEvents) = (acknowledgements, dispatcher, endpointEvents);
        _peerAddress = new PeerAddress(_side);
        _unprotector = new PacketUnprotector(keys);
    }

    /// <summary>Packets that authenticated and were no duplicates.</summary>
    public ulong PacketsReceived { get; private set; }

    /// <summary>Packets that were dropped.</summary>
    public ulong PacketsDropped { get; private set; }

    /// <summary>Handles a datagram; see <see cref="Connection.HandleDatagram"/>.</summary>
    public void Handle(Instant now, FourTuple address, EcnCodepoint ecn, Span<byte> datagram)
    {
        Path first = _paths.First;
        if (_state.Phase >= ConnectionPhase.Draining)
        {
            Drop(now, PacketDropReason.Closed, datagram.Length);
            return;
        }

        if (!_peerAddress.Admits(first, address, _state.IsConfirmed))
        {
            Drop(now, PacketDropReason.UnexpectedAddress, datagram.Length);
            return;
        }

        address = PathMovement.Attribute(first, address, datagram.Length);
        bool isAnyOpened = false;
        var splitter = new DatagramSplitter(datagram, ConnectionIdGenerator.LocalLength);
        while (splitter.TryNext(out Span<byte> packet, out ParsedHeader header))
            isAnyOpened |= HandlePacket(now, address, ecn, packet, header, datagram.Length);
        if (splitter.Remaining > 0)
            Drop(now, PacketDropReason.MalformedHeader, splitter.Remaining);
        if (!isAnyOpened && IsStatelessReset(datagram))
            _lifecycle.Abandon(now, new CloseReason(CloseCause.StatelessReset, 0, 0, default));
        ReplayEarlyPackets(now);
    }

    private bool HandlePacket(
        Instant now, FourTuple address, EcnCodepoint ecn, Span<byte> packet, in ParsedHeader header, int datagramLength)
    {
        switch (header.Type)
        {
            case PacketType.Initial:
                return HandleProtected(now, EncryptionLevel.Initial, address, ecn, packet, header, datagramLength);
            case PacketType.Handshake:
                return HandleProtected(now, EncryptionLevel.Handshake, address, ecn, packet, header, datagramLength);
            case PacketType.OneRtt:
                return HandleProtected(now, EncryptionLevel.Application, address, ecn, packet, header, datagramLength);
            case PacketType.Retry when _state.IsOpen && _ids.TryFollowRetry(packet, header):
                FollowRetry(header);
                return true;
            case PacketType.VersionNegotiation when _state.IsOpen && _ids.IsVersionRefused(packet, header):
                _lifecycle.Abandon(now, new CloseReason(CloseCause.VersionMismatch, 0, 0, default));
                return true;
            case PacketType.Retry or PacketType.VersionNegotiation:
                Drop(now, PacketDropReason.NotApplicable, packet.Length);
                return false;
            case PacketType.ZeroRtt:
                Drop(now, PacketDropReason.NoKeys, packet.Length); // this server accepts no early data
                return false;
            default:
                Drop(now, PacketDropReason.UnexpectedVersion, packet.Length);
                return false;
        }
    }

    private bool HandleProtected(
        Instant now,
        EncryptionLevel level,
        FourTuple address,
        EcnCodepoint ecn,
        Span<byte> packet,
        in ParsedHeader header,
        int datagramLength)
    {
        ConnectionId destination = header.DestinationId;
        if (!_paths.TryFindByLocalId(destination, out Path? path))
        {
            if (!_ids.IsOriginalDestination(header.Type, destination))
                return Drop(now, PacketDropReason.UnknownConnectionId, packet.Length);
            path = _paths.First;
        }

        if (level == EncryptionLevel.Initial && !IsInitialValid(header, datagramLength))
            return Drop(now, PacketDropReason.MalformedHeader, packet.Length);
        if (!_keys.Has(level))
        {
            if (_keys.WereDiscarded(level) || !_state.IsOpen || !_early.TryAdd(level, address, ecn, packet))
                Drop(now, PacketDropReason.NoKeys, packet.Length);
            return false;
        }

        PacketNumberSpace space = _spaces.Find(level, path)!;
        ConnectionId source = level == EncryptionLevel.Application ? default : header.SourceId;
        int size = packet.Length;
        if (!_unprotector.TryUnprotect(
            now, packet, level, header.PacketNumberOffset, path, space, path.ProbeTimeout * 3, out UnprotectedPacket opened,
            out PacketDropReason reason, out TransportError? error))
        {
            if (error is null)
                return Drop(now, reason, size) || reason == PacketDropReason.Duplicate;
            _lifecycle.Close(now, error);
            return true;
        }

        if (level != EncryptionLevel.Application && !AcceptSource(source, path))
            return Drop(now, PacketDropReason.UnknownConnectionId, size);
        PacketsReceived++;
        _trace?.PacketReceived(now, level, path.Id, opened.Number, size);
        HandleOpened(new PacketArrival(now, path, address, destination, datagramLength), ecn, opened, space);
        return true;
    }

    private void HandleOpened(in PacketArrival arrival, EcnCodepoint ecn, in UnprotectedPacket packet, PacketNumberSpace space)
    {
        Instant now = arrival.Now;
        if (!_state.IsOpen)
        {
            if (FrameDispatcher.FindClose(packet.Payload) is { } close)
                _lifecycle.ReceiveClose(now, close);
            else
                _state.OnPacketWhileClosing();
            return;
        }

        _handshake.OnAuthenticated(now, packet.Level);
        if (_side == Side.Client && packet.Level != EncryptionLevel.Application)
            _peerAddress.OnServerPacket(packet.Level, arrival.Path, arrival.Address);
        var summary = default(PacketSummary);
        TransportError? error = _dispatcher.Dispatch(packet, arrival, ref summary);
        if (error is null)
        {
            space.OnPacketReceived(now, packet.Number, summary.IsAckEliciting, ecn);
            _lifecycle.RestartIdleTimer(now);
            error = Act(arrival, packet, summary);
        }

        if (error is not null)
            _lifecycle.Close(now, error);
    }

    // What the frames mean beyond the rooms that have taken them.
    private TransportError? Act(in PacketArrival arrival, in UnprotectedPacket packet, in PacketSummary summary)
    {
        Instant now = arrival.Now;
        if (summary.PeerClose is { } close)
        {
            _lifecycle.ReceiveClose(now, close);
            return null;
        }

        if (summary.HasCrypto && _handshake.OnCryptoData(now, packet.Level) is { } error)
            return error;
        if (summary.IsHandshakeDone)
            _handshake.Confirm(now);
        if (summary.RetiredId is { } retired)
        {
            _endpointEvents.Enqueue(new EndpointEvent { Kind = EndpointEventKind.ConnectionIdRetired, ConnectionId = retired });
            _handshake.IssueIds(arrival.Path);
        }

        if (packet.Level != EncryptionLevel.Application)
            return null;
        if (summary.Validated is { } validated)
            _movement.OnValidated(now, arrival.Path, validated);
        if (_peerAddress.IsMigration(arrival.Path, arrival.Address, packet.Number, summary.IsNonProbing))
            _movement.Migrate(now, arrival.Path, arrival.Address, arrival.DatagramLength);
        _movement.OnActivity(now, arrival.Path);
        return null;
    }

    // RFC 9000 §14.1: a server discards Initial packets in smaller datagrams; §17.2.2: a client those with a token.
    private bool IsInitialValid(in ParsedHeader header, int datagramLength) =>
        _side == Side.Server ? datagramLength >= MtuDiscovery.BaseSize : header.Token.IsEmpty;

    private bool AcceptSource(in ConnectionId source, Path path)
    {
        if (!_ids.AcceptSource(source, out bool isFirst))
            return false;
        if (isFirst)
            path.RemoteIds.ReplaceHandshakeId(source);
        return true;
    }

    // RFC 9000 §17.2.5.2: the client starts again with the token, to the id that the server chose, with keys derived from it.
    private void FollowRetry(in ParsedHeader header)
    {
        ConnectionId source = header.SourceId;
        _paths.First.RemoteIds.ReplaceHandshakeId(source);
        _headerFields.Token = header.Token.ToArray();
        _keys.SetInitial(source, _side);
        _acknowledgements.OnRetry(_paths.First);
    }

    private bool IsStatelessReset(ReadOnlySpan<byte> datagram)
    {
        if (!StatelessReset.TryGetToken(datagram, out StatelessResetToken token))
            return false;
        for (int i = 0; i < _paths.Count; i++)
        {
            if (_paths[i].RemoteIds.ActiveResetToken == token)
                return true;
        }

        return false;
    }

    private void ReplayEarlyPackets(Instant now)
    {
        if (_early.IsEmpty)
            return;
        for (EncryptionLevel level = EncryptionLevel.Handshake; level <= EncryptionLevel.Application; level++)
        {
            while (_keys.Has(level) && _early.TryTake(level, out FourTuple address, out EcnCodepoint ecn, out byte[] packet))
            {
                if (PacketHeader.TryParse(packet, ConnectionIdGenerator.LocalLength, out ParsedHeader header))
                    HandleProtected(now, level, address, ecn, packet, header, packet.Length);
            }
        }
    }

    private bool Drop(Instant now, PacketDropReason reason, int size)
    {
        PacketsDropped++;
        _trace?.PacketDropped(now, reason, size);
        return false;
    }
}
