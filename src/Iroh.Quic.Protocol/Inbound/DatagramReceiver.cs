using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.NatTraversal;
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
    private readonly PathOpening _opening;
    private readonly PathIdSupply _supply;
    private readonly PacketSpaces _spaces;
    private readonly HeaderFields _headerFields;
    private readonly Acknowledgements _acknowledgements;
    private readonly FrameDispatcher _dispatcher;
    private readonly HolePunching _punching;
    private readonly PacketUnprotector _unprotector;
    private readonly EarlyPackets _early = new();
    private readonly TraceSink? _trace;
    private bool _isAttributed;

    public DatagramReceiver(
        ConnectionSetup setup,
        ConnectionState state,
        Lifecycle lifecycle,
        ConnectionKeys keys,
        HandshakeIds ids,
        HandshakeProgress handshake,
        PathTable paths,
        PathMovement movement,
        PathOpening opening,
        PathIdSupply supply,
        PacketSpaces spaces,
        HeaderFields headerFields,
        Acknowledgements acknowledgements,
        FrameDispatcher dispatcher,
        HolePunching punching)
    {
        _punching = punching;
        (_side, _trace) = (setup.Side, setup.Trace);
        (_state, _lifecycle, _keys, _ids, _handshake) = (state, lifecycle, keys, ids, handshake);
        (_paths, _movement, _opening, _supply) = (paths, movement, opening, supply);
        (_spaces, _headerFields) = (spaces, headerFields);
        (_acknowledgements, _dispatcher) = (acknowledgements, dispatcher);
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
        if (_state.Phase >= ConnectionPhase.Draining)
        {
            Drop(now, PacketDropReason.Closed, datagram.Length);
            return;
        }

        bool isAnyOpened = false;
        _isAttributed = false;
        ulong before = PacketsReceived;
        var splitter = new DatagramSplitter(datagram, ConnectionIdGenerator.LocalLength);
        while (splitter.TryNext(out Span<byte> packet, out ParsedHeader header))
            isAnyOpened |= HandlePacket(now, address, ecn, packet, header, datagram.Length);
        if (splitter.Remaining > 0)
            Drop(now, PacketDropReason.MalformedHeader, splitter.Remaining);
        if (PacketsReceived > before)
            _punching.OnReceived(address, datagram.Length);
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
        if (!_paths.TryFindByLocalId(destination, out PathEntry? entry))
        {
            if (!_ids.IsOriginalDestination(header.Type, destination))
                return Drop(now, PacketDropReason.UnknownConnectionId, packet.Length);
            entry = _paths.Entries[0];
        }

        // A server meets a path with its first packet; a client knows all of them. The handshake has path 0 only.
        Path? path = entry.Path;
        bool isNew = path is null;
        if (isNew && (_side == Side.Client || level != EncryptionLevel.Application || !_state.IsOpen || entry.IsAbandoned))
            return Drop(now, PacketDropReason.UnknownConnectionId, packet.Length);
        path ??= _opening.Prepare(now, entry, address);
        if (_spaces.Find(level, path) is not { } space)
            return Drop(now, PacketDropReason.NoKeys, packet.Length);
        if (!_peerAddress.Admits(path, address, _state.IsConfirmed, _punching.IsActive))
            return Drop(now, PacketDropReason.UnexpectedAddress, packet.Length);
        address = Attribute(path, address, datagramLength);
        if (level == EncryptionLevel.Initial && !IsInitialValid(header, datagramLength))
            return Drop(now, PacketDropReason.MalformedHeader, packet.Length);
        if (!_keys.Has(level))
        {
            if (_keys.WereDiscarded(level) || !_state.IsOpen || !_early.TryAdd(level, address, ecn, packet))
                Drop(now, PacketDropReason.NoKeys, packet.Length);
            return false;
        }

        ConnectionId source = level == EncryptionLevel.Application ? default : header.SourceId;
        int size = packet.Length;
        if (!_unprotector.TryUnprotect(
            now, packet, level, header.PacketNumberOffset, path, space, _paths.LongestProbeTimeout * 3, out UnprotectedPacket opened,
            out PacketDropReason reason, out TransportError? error))
        {
            if (error is null)
                return Drop(now, reason, size) || reason == PacketDropReason.Duplicate;
            _lifecycle.Close(now, error);
            return true;
        }

        if (level != EncryptionLevel.Application && !AcceptSource(source, path))
            return Drop(now, PacketDropReason.UnknownConnectionId, size);
        if (isNew)
            _opening.Create(now, entry, path);
        PacketsReceived++;
        path.BytesReceived += (ulong)size;
        _trace?.PacketReceived(now, level, path.Id, opened.Number, size);
        HandleOpened(new PacketArrival(now, path, address, destination, datagramLength), ecn, opened, space);
        return true;
    }

    // A datagram counts once for the amplification limit, for the path of its first packet.
    private FourTuple Attribute(Path path, FourTuple address, int datagramLength)
    {
        if (_isAttributed)
            return path.Current.Carries(address) ? path.Current.Address : address;
        _isAttributed = true;
        return PathMovement.Attribute(path, address, datagramLength);
    }

    private void HandleOpened(in PacketArrival arrival, EcnCodepoint ecn, in UnprotectedPacket packet, PacketNumberSpace space)
    {
        Instant now = arrival.Now;
        if (!_state.IsOpen)
        {
            if (FrameDispatcher.FindClose(packet.Payload) is { } close)
                _lifecycle.ReceiveClose(now, arrival.Path, close);
            else
                _lifecycle.OnPacketWhileClosing(arrival.Path);
            return;
        }

        _handshake.OnAuthenticated(now, packet.Level);
        if (_side == Side.Client && packet.Level != EncryptionLevel.Application)
            _peerAddress.OnServerPacket(packet.Level, arrival.Path, arrival.Address);
        var summary = default(PacketSummary);
        TransportError? error = _dispatcher.Dispatch(packet, arrival, ref summary);
        if (error is null)
        {
            space.OnPacketReceived(now, packet.Number, packet.Payload.Length, summary.IsAckEliciting, ecn);
            _lifecycle.RestartIdleTimer(now);
            _opening.OnReceived(now, arrival.Path);
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
            _lifecycle.ReceiveClose(now, arrival.Path, close);
            return null;
        }

        if (summary.HasCrypto && _handshake.OnCryptoData(now, packet.Level) is { } error)
            return error;
        if (summary.IsHandshakeDone)
        {
            _handshake.Confirm(now);
            _opening.OnIdsChanged();
        }

        if (summary.HasRetiredIds)
            _supply.IssueAll();
        if (summary.HasNewPathIds)
            _opening.OnIdsChanged();

        if (packet.Level != EncryptionLevel.Application)
            return null;
        if (summary.Validated is { } validated)
        {
            _movement.OnValidated(now, arrival.Path, validated);
            if (validated == arrival.Path.Current)
                _opening.OnValidated(now, arrival.Path);
        }

        if (arrival.Path.IsAbandoned)
            return null;
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
                _isAttributed = true; // when it came
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
