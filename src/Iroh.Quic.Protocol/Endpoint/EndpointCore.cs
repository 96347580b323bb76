using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Paths;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Endpoint;

/// <summary>
/// What the connections of one or more sockets share (RFC 9000 §5.2): finds the connection of a datagram, makes connections, and answers
/// datagrams that belong to none. No I/O. One owner at a time; the connections may have others.
/// </summary>
public sealed class EndpointCore
{
    /// <summary>Room that the answers written by this class need, in bytes.</summary>
    public const int ResponseLengthMax = 1200;

    private const int InitialDestinationIdLengthMin = 8;

    private readonly EndpointConfiguration _configuration;
    private readonly RandomSource _random;
    private readonly StatelessReset _reset;
    private readonly RetryTokens _retryTokens;
    private readonly RoutingTable _routes = new();
    private Instant _nextResetAt;
    private ulong _nextHandle;

    /// <summary>Starts without connections.</summary>
    /// <param name="configuration">Limits.</param>
    /// <param name="random">
    /// Used by the endpoint and all its connections; must be thread-safe if these have different owners.
    /// </param>
    public EndpointCore(EndpointConfiguration configuration, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(random);
        ArgumentOutOfRangeException.ThrowIfLessThan(configuration.HandshakesMax, 1);
        _configuration = configuration;
        _random = random;
        Span<byte> key = stackalloc byte[StatelessReset.KeyLength];
        random.Fill(key);
        _reset = new StatelessReset(key);
        _retryTokens = new RetryTokens(key);
    }

    /// <summary>Connections that are not drained.</summary>
    public int ConnectionCount => _routes.Count;

    /// <summary>Incoming connections that wait for a decision or are in their handshake.</summary>
    public int HandshakeCount => _routes.HandshakeCount;

    /// <summary>Finds out what a datagram is for.</summary>
    /// <param name="now">When it arrived.</param>
    /// <param name="path">Its source as remote and its destination as local address.</param>
    /// <param name="ecn">Its ECN mark.</param>
    /// <param name="datagram">Its bytes, which are not changed.</param>
    /// <param name="response">Receives an answer; at least <see cref="ResponseLengthMax"/> bytes.</param>
    public DatagramRoute HandleDatagram(
        Instant now, FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> datagram, Span<byte> response)
    {
        if (!PacketHeader.TryParse(datagram, ConnectionIdGenerator.LocalLength, out ParsedHeader header))
            return default;
        if (header.Type == PacketType.UnknownVersion)
            return NegotiateVersion(path, header, datagram.Length, response);
        ConnectionId destination = header.DestinationId;
        if (_routes.TryFind(destination, out ConnectionHandle handle))
            return new DatagramRoute(DatagramDestination.Connection, handle);
        switch (header.Type)
        {
            case PacketType.Initial or PacketType.ZeroRtt when _routes.TryFindInitial(destination, out handle, out Incoming? known):
                if (known is null)
                    return new DatagramRoute(DatagramDestination.Connection, handle);
                known.Keep(path, ecn, datagram);
                return default;
            case PacketType.Initial:
                return OnFirstInitial(now, path, ecn, datagram, header, response);
            case PacketType.OneRtt when StatelessReset.TryGetToken(datagram, out StatelessResetToken token)
                && _routes.TryFindReset(path.Remote, token, out handle):
                return new DatagramRoute(DatagramDestination.Connection, handle);
            case PacketType.OneRtt:
                return Reset(now, path, destination, datagram.Length, response);
            default:
                return default;
        }
    }

    /// <summary>Dials. The connection has its first datagram ready.</summary>
    /// <param name="now">The present.</param>
    /// <param name="path">Where the server is; the local address may be unspecified.</param>
    /// <param name="configuration">Limits and timers.</param>
    /// <param name="tls">Identity, protocols, and whom to expect. Its transport parameters are ignored.</param>
    /// <param name="handle">The new connection's name.</param>
    /// <param name="trace">Hears what happens to the connection.</param>
    /// <exception cref="ArgumentException">A configuration is out of range.</exception>
    public Connection Connect(
        Instant now,
        FourTuple path,
        ConnectionConfiguration configuration,
        TlsConfiguration tls,
        out ConnectionHandle handle,
        TraceSink? trace = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        configuration.Validate();
        ConnectionId localId = ConnectionIdGenerator.NextLocal(_random);
        var connection = new Connection(now, new ConnectionSetup
        {
            Side = Side.Client,
            Configuration = configuration,
            Tls = tls,
            Address = path,
            LocalId = localId,
            OriginalDestinationId = ConnectionIdGenerator.NextInitialDestination(_random),
            Reset = _reset,
            Random = _random,
            Trace = trace,
        });
        handle = new ConnectionHandle(_nextHandle++);
        _routes.AddConnection(handle, localId, initialId: null);
        return connection;
    }

    /// <summary>Takes an incoming connection. It has handled the datagrams that came so far.</summary>
    /// <param name="now">The present.</param>
    /// <param name="incoming">Not decided yet.</param>
    /// <param name="configuration">Limits and timers.</param>
    /// <param name="tls">Identity and protocols. Its transport parameters are ignored.</param>
    /// <param name="handle">The new connection's name.</param>
    /// <param name="trace">Hears what happens to the connection.</param>
    /// <exception cref="ArgumentException">A configuration is out of range.</exception>
    /// <exception cref="InvalidOperationException">The attempt was decided before.</exception>
    public Connection Accept(
        Instant now,
        Incoming incoming,
        ConnectionConfiguration configuration,
        TlsConfiguration tls,
        out ConnectionHandle handle,
        TraceSink? trace = null)
    {
        ArgumentNullException.ThrowIfNull(incoming);
        ArgumentNullException.ThrowIfNull(configuration);
        configuration.Validate();
        incoming.Decide();
        ConnectionId localId = ConnectionIdGenerator.NextLocal(_random);
        var connection = new Connection(now, new ConnectionSetup
        {
            Side = Side.Server,
            Configuration = configuration,
            Tls = tls,
            Address = incoming.Path,
            LocalId = localId,
            OriginalDestinationId = incoming.OriginalDestinationId,
            PeerId = incoming.ClientId,
            IdBeforeRetry = incoming.IdBeforeRetry,
            Reset = _reset,
            Random = _random,
            Trace = trace,
        });
        handle = new ConnectionHandle(_nextHandle++);
        _routes.RemoveIncoming(incoming.OriginalDestinationId);
        _routes.AddConnection(handle, localId, incoming.OriginalDestinationId);
        foreach ((FourTuple path, EcnCodepoint ecn, byte[] datagram) in incoming.Datagrams)
            connection.HandleDatagram(now, path, ecn, datagram);
        return connection;
    }

    /// <summary>Refuses an incoming connection with CONNECTION_REFUSED (RFC 9000 §5.2.2).</summary>
    /// <param name="incoming">Not decided yet.</param>
    /// <param name="response">Receives the answer; at least <see cref="ResponseLengthMax"/> bytes.</param>
    /// <exception cref="InvalidOperationException">The attempt was decided before.</exception>
    public Transmit Refuse(Incoming incoming, Span<byte> response)
    {
        ArgumentNullException.ThrowIfNull(incoming);
        incoming.Decide();
        _routes.RemoveIncoming(incoming.OriginalDestinationId);
        return WriteRefusal(incoming.Path, incoming.OriginalDestinationId, incoming.ClientId, response);
    }

    /// <summary>Drops an incoming connection without an answer; a later copy of its first packet is a new attempt.</summary>
    /// <exception cref="InvalidOperationException">The attempt was decided before.</exception>
    public void Ignore(Incoming incoming)
    {
        ArgumentNullException.ThrowIfNull(incoming);
        incoming.Decide();
        _routes.RemoveIncoming(incoming.OriginalDestinationId);
    }

    /// <summary>Applies what a connection asked for by <see cref="Connection.TryGetEndpointEvent"/>.</summary>
    public void HandleConnectionEvent(ConnectionHandle handle, in EndpointEvent e) => _routes.Apply(handle, e);

    private DatagramRoute OnFirstInitial(
        Instant now, FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> datagram, in ParsedHeader header, Span<byte> response)
    {
        // RFC 9000 §14.1, §7.2: what is smaller, or has a shorter id, is no client's first packet.
        if (!_configuration.AcceptsConnections || datagram.Length < MtuDiscovery.BaseSize
            || header.DestinationIdBytes.Length < InitialDestinationIdLengthMin)
            return default;
        ConnectionId destination = header.DestinationId;
        ConnectionId source = header.SourceId;

        // DEVIATES: RFC 9000 §8.1.3 would close with INVALID_TOKEN. A client that dials several addresses sends the token of one to all, and
        // the one at which it counts has to stay open to it.
        ConnectionId? idBeforeRetry = !header.Token.IsEmpty
            && _retryTokens.TryRead(now, path.Remote, destination, header.Token, out ConnectionId original) ? original : null;
        if (idBeforeRetry is null && !path.Remote.IsVirtual && _routes.HandshakeCount >= _configuration.HandshakesBeforeRetry
            && _routes.HandshakeCount < _configuration.HandshakesMax)
            return Retry(now, path, destination, source, response);
        if (!IsAuthentic(datagram, header))
            return default;
        if (_routes.HandshakeCount >= _configuration.HandshakesMax)
            return new DatagramRoute(DatagramDestination.Response, Response: WriteRefusal(path, destination, source, response));
        var incoming = new Incoming(path, destination, source, idBeforeRetry);
        incoming.Keep(path, ecn, datagram);
        _routes.AddIncoming(incoming);
        return new DatagramRoute(DatagramDestination.Incoming, Incoming: incoming);
    }

    // Shorter than a tenth of the datagram that it answers, whoever sent that.
    private DatagramRoute Retry(
        Instant now, FourTuple path, in ConnectionId originalDestinationId, in ConnectionId clientId, Span<byte> response)
    {
        ConnectionId retrySourceId = ConnectionIdGenerator.NextLocal(_random);
        Span<byte> token = stackalloc byte[RetryTokens.LengthMax];
        int length = _retryTokens.Write(now, path.Remote, originalDestinationId, retrySourceId, token);
        var writer = new WireWriter(response);
        RetryPacket.Write(ref writer, (byte)_random.NextBelow(16), clientId, retrySourceId, originalDestinationId, token[..length]);
        return Respond(path, writer.Position);
    }

    // Keeps accidents out: a damaged packet would make a connection that can never complete. Anybody can make an authentic one.
    private static bool IsAuthentic(ReadOnlySpan<byte> datagram, in ParsedHeader header)
    {
        Span<byte> packet = datagram[..header.PacketLength].ToArray();
        (PacketKeys receive, PacketKeys send) = InitialKeys.Derive(header.DestinationId, Side.Server);
        send.Dispose();
        using (receive)
        {
            if (!receive.TryRemoveHeaderProtection(packet, header.PacketNumberOffset, out int length, out ulong truncated))
                return false;
            PacketNumber number = PacketNumberCodec.Decode(null, truncated, length);
            return receive.TryOpen(packet, header.PacketNumberOffset + length, PathId.Zero, number, out _);
        }
    }

    private Transmit WriteRefusal(FourTuple path, in ConnectionId originalDestinationId, in ConnectionId clientId, Span<byte> response)
    {
        (PacketKeys receive, PacketKeys send) = InitialKeys.Derive(originalDestinationId, Side.Server);
        receive.Dispose();
        using (send)
        {
            const int NumberLength = 1;
            var writer = new WireWriter(response);
            int numberOffset = LongHeader.Write(
                ref writer, PacketType.Initial, clientId, ConnectionIdGenerator.NextLocal(_random), default, default, NumberLength);
            ConnectionCloseFrame.Transport(TransportErrorCode.ConnectionRefused, 0, default).Write(ref writer);
            Span<byte> packet = response[..(writer.Position + PacketHeader.TagLength)];
            LongHeader.PatchLength(packet, numberOffset);
            send.Protect(packet, numberOffset, NumberLength, PathId.Zero, default);
            return new Transmit(path, packet.Length, packet.Length, EcnCodepoint.NotEct);
        }
    }

    private DatagramRoute NegotiateVersion(FourTuple path, in ParsedHeader header, int datagramLength, Span<byte> response)
    {
        // RFC 9000 §5.2.2, §6.1: only to datagrams that are as large as a first packet must be.
        if (!_configuration.AcceptsConnections || datagramLength < MtuDiscovery.BaseSize)
            return default;
        const uint Reserved = 0x0a1a2a3a, OtherReserved = 0x0a1a2a4a; // keeps clients from taking the list for closed (RFC 9000 §6.3)
        ReadOnlySpan<uint> versions = [header.Version == Reserved ? OtherReserved : Reserved, QuicVersion.V1];
        var writer = new WireWriter(response);
        VersionNegotiationPacket.Write(
            ref writer, (byte)_random.NextBelow(128), header.SourceIdBytes, header.DestinationIdBytes, versions);
        return Respond(path, writer.Position);
    }

    private DatagramRoute Reset(Instant now, FourTuple path, in ConnectionId destination, int datagramLength, Span<byte> response)
    {
        if (now < _nextResetAt
            || !StatelessReset.TryWrite(
                response, Math.Min(datagramLength, response.Length), _reset.TokenOf(destination), _random, out int length))
            return default;
        _nextResetAt = now + _configuration.ResetInterval;
        return Respond(path, length);
    }

    private static DatagramRoute Respond(FourTuple path, int length) =>
        new(DatagramDestination.Response, Response: new Transmit(path, length, length, EcnCodepoint.NotEct));
}
