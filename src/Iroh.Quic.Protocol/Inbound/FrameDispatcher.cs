using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Streams;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>Reads the frames of a packet and gives each to the room that owns its subject (RFC 9000 §12.4, §19).</summary>
internal sealed class FrameDispatcher
{
    /// <summary>A PATH_RESPONSE datagram on a path that needs no amplification limit may have this size (RFC 9000 §8.2.2).</summary>
    private const int ExpandedSize = MtuDiscovery.BaseSize;

    private readonly Side _side;
    private readonly CryptoStreams _crypto;
    private readonly StreamTable _streams;
    private readonly DatagramQueue _datagrams;
    private readonly ObservedAddresses _observed;
    private readonly Acknowledgements _acknowledgements;
    private readonly PathFrameDispatcher _pathFrames;
    private readonly HolePunching _punching;
    private readonly NatFrameDispatcher _natFrames;

    public FrameDispatcher(
        Side side,
        CryptoStreams crypto,
        StreamTable streams,
        DatagramQueue datagrams,
        ObservedAddresses observed,
        Acknowledgements acknowledgements,
        PathFrameDispatcher pathFrames,
        HolePunching punching)
    {
        (_pathFrames, _punching, _natFrames) = (pathFrames, punching, new NatFrameDispatcher(punching));
        _side = side;
        _crypto = crypto;
        _streams = streams;
        _datagrams = datagrams;
        _observed = observed;
        _acknowledgements = acknowledgements;
    }

    private Side Peer => _side == Side.Client ? Side.Server : Side.Client;

    /// <summary>Handles all frames of a packet, up to the first that is wrong or closes the connection.</summary>
    /// <param name="packet">Authentic, not a duplicate.</param>
    /// <param name="arrival">Where it came from.</param>
    /// <param name="summary">Gets what the connection has to act on.</param>
    public TransportError? Dispatch(in UnprotectedPacket packet, in PacketArrival arrival, ref PacketSummary summary)
    {
        // RFC 9000 §12.4: a packet without frames.
        if (packet.Payload.IsEmpty)
            return new TransportError(TransportErrorCode.ProtocolViolation, "A packet without frames.");
        var reader = new WireReader(packet.Payload);
        while (reader.Remaining > 0 && summary.PeerClose is null)
        {
            if (!FrameReader.TryReadType(ref reader, out ulong type, out TransportError? error))
                return error;
            error = FramePermissions.Check(type, packet.Level, Peer);
            if (error is not null)
                return error;
            summary.IsAckEliciting |= FramePermissions.IsAckEliciting(type);
            summary.IsNonProbing |= !FramePermissions.IsProbing(type);
            error = FrameType.IsStream(type) ? OnStream(ref reader, type) : OnFrame(ref reader, type, packet, arrival, ref summary);
            if (error is not null)
                return error;
        }

        return null;
    }

    /// <summary>
    /// Looks for a CONNECTION_CLOSE in a packet that arrives while this end is closing; nothing else in it matters any more. Peers put
    /// nothing but acknowledgements before it.
    /// </summary>
    public static CloseReason? FindClose(ReadOnlySpan<byte> payload)
    {
        var reader = new WireReader(payload);
        while (reader.Remaining > 0 && FrameReader.TryReadType(ref reader, out ulong type, out _))
        {
            switch (type)
            {
                case FrameType.Padding or FrameType.Ping:
                    break;
                case FrameType.Ack or FrameType.AckEcn when AckFrame.TryRead(ref reader, type, out _):
                case FrameType.PathAck or FrameType.PathAckEcn when PathAckFrame.TryRead(ref reader, type, out _):
                    break;
                case FrameType.ConnectionClose or FrameType.ApplicationClose
                    when ConnectionCloseFrame.TryRead(ref reader, type, out ConnectionCloseFrame close):
                    return ReasonOf(close);
                default:
                    return null;
            }
        }

        return null;
    }

    // One case a frame type: a table, though it is a long one.
    private TransportError? OnFrame(
        ref WireReader reader, ulong type, in UnprotectedPacket packet, in PacketArrival arrival, ref PacketSummary summary)
    {
        switch (type)
        {
            case FrameType.Padding when PaddingFrame.TryRead(ref reader, type, out _):
            case FrameType.Ping:
                return null;
            case FrameType.Ack or FrameType.AckEcn when AckFrame.TryRead(ref reader, type, out AckFrame ack):
                return packet.Level == EncryptionLevel.Application
                    ? _pathFrames.OnPlainAck(arrival, packet.KeyGeneration, ack)
                    : _acknowledgements.OnAckFrame(arrival.Now, packet.Level, arrival.Path, packet.KeyGeneration, ack);
            case FrameType.Crypto when CryptoFrame.TryRead(ref reader, type, out CryptoFrame crypto):
                summary.HasCrypto = true;
                return _crypto.OnCryptoFrame(packet.Level, crypto);
            case FrameType.Datagram or FrameType.DatagramWithLength:
                int start = reader.Remaining;
                return DatagramFrame.TryRead(ref reader, type, out DatagramFrame datagram)
                    ? _datagrams.OnDatagramFrame(datagram.Data, 1 + start - reader.Remaining)
                    : Malformed(type);
            case FrameType.MaxData when MaxDataFrame.TryRead(ref reader, type, out MaxDataFrame maxData):
                _streams.OnMaxData(maxData.Maximum);
                return null;
            case FrameType.MaxStreamData when MaxStreamDataFrame.TryRead(ref reader, type, out MaxStreamDataFrame maxStreamData):
                return _streams.OnMaxStreamData(maxStreamData.StreamId, maxStreamData.Maximum);
            case FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional
                when MaxStreamsFrame.TryRead(ref reader, type, out MaxStreamsFrame maxStreams):
                _streams.OnMaxStreams(maxStreams.Direction, maxStreams.Maximum);
                return null;
            case FrameType.ResetStream when ResetStreamFrame.TryRead(ref reader, type, out ResetStreamFrame reset):
                return _streams.OnResetStream(reset.StreamId, reset.ErrorCode, reset.FinalSize);
            case FrameType.StopSending when StopSendingFrame.TryRead(ref reader, type, out StopSendingFrame stop):
                return _streams.OnStopSending(stop.StreamId, stop.ErrorCode);
            case FrameType.DataBlocked when DataBlockedFrame.TryRead(ref reader, type, out _):
                return null;
            case FrameType.StreamDataBlocked when StreamDataBlockedFrame.TryRead(ref reader, type, out StreamDataBlockedFrame blocked):
                return _streams.OnStreamDataBlocked(blocked.StreamId);
            case FrameType.StreamsBlockedBidirectional or FrameType.StreamsBlockedUnidirectional
                when StreamsBlockedFrame.TryRead(ref reader, type, out _):
                return null;
            case FrameType.NewConnectionId when NewConnectionIdFrame.TryRead(ref reader, type, out NewConnectionIdFrame issued):
                return _pathFrames.OnNewConnectionId(PathId.Zero, issued, ref summary);
            case FrameType.RetireConnectionId when RetireConnectionIdFrame.TryRead(ref reader, type, out RetireConnectionIdFrame retire):
                return _pathFrames.OnRetire(PathId.Zero, retire.SequenceNumber, arrival, ref summary);
            case FrameType.PathChallenge when PathChallengeFrame.TryRead(ref reader, type, out PathChallengeFrame challenge):
                OnPathChallenge(challenge, arrival);
                return null;
            case FrameType.PathResponse when PathResponseFrame.TryRead(ref reader, type, out PathResponseFrame response):
                OnPathResponse(response, arrival, ref summary);
                return null;
            case FrameType.ObservedAddressIPv4 or FrameType.ObservedAddressIPv6
                when ObservedAddressFrame.TryRead(ref reader, type, out ObservedAddressFrame observed):
                return _observed.OnReport(arrival.Path.Id, arrival.Path.Observations, observed);
            case FrameType.NewToken when NewTokenFrame.TryRead(ref reader, type, out _):
                return null; // tokens are not kept: iroh's servers give none and honour none
            case FrameType.HandshakeDone:
                summary.IsHandshakeDone = true;
                return null;
            case FrameType.ConnectionClose or FrameType.ApplicationClose
                when ConnectionCloseFrame.TryRead(ref reader, type, out ConnectionCloseFrame close):
                summary.PeerClose = ReasonOf(close);
                return null;
            case var _ when PathFrameDispatcher.Takes(type):
                return _pathFrames.OnFrame(ref reader, type, packet.KeyGeneration, arrival, ref summary);
            case var _ when NatFrameDispatcher.Takes(type):
                return _natFrames.OnFrame(ref reader, type, arrival.Now);
            case FrameType.ImmediateAck or FrameType.AckFrequency:
                return new TransportError(TransportErrorCode.ProtocolViolation, type, "min_ack_delay was not announced.");
            default:
                return Malformed(type); // every known type has a case above, so reading it has failed
        }
    }

    private TransportError? OnStream(ref WireReader reader, ulong type) =>
        StreamFrame.TryRead(ref reader, type, out StreamFrame frame)
            ? _streams.OnStreamFrame(frame.StreamId, frame.Offset, frame.Data, frame.Fin)
            : Malformed(type);

    private static void OnPathChallenge(in PathChallengeFrame frame, in PacketArrival arrival)
    {
        if (arrival.Path.IsAbandoned)
            return;
        NetworkPath current = arrival.Path.Current;

        // Whoever repeats a probe from elsewhere makes either end answer there.
        bool isLimited = !(current.Carries(arrival.Address) && current.Validator.IsValidated);
        int sizeMax = isLimited ? Math.Min(ExpandedSize, arrival.DatagramLength * AmplificationLimit.Factor) : ExpandedSize;
        arrival.Path.Responses.Add(arrival.Address, frame.Data, sizeMax);
    }

    private void OnPathResponse(in PathResponseFrame frame, in PacketArrival arrival, ref PacketSummary summary)
    {
        if (arrival.Path.OnResponse(frame.Data, out NetworkPath validated))
            summary.Validated = validated;
        else
            _punching.OnResponse(arrival.Now, arrival.Address, frame.Data);
    }

    private static CloseReason ReasonOf(in ConnectionCloseFrame close) => new(
        close.IsApplication ? CloseCause.PeerApplication : CloseCause.PeerTransport,
        close.ErrorCode,
        close.FrameType,
        close.Reason.ToArray());

    private static TransportError Malformed(ulong type) =>
        new(TransportErrorCode.FrameEncodingError, type, $"A frame of type 0x{type:x} cannot be read.");
}
