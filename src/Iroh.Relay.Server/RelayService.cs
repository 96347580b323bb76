using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net;
using Iroh.Base;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server.Access;
using Iroh.Relay.Server.Clients;
using Iroh.Relay.Server.Metrics;
using Iroh.Relay.Server.WebSockets;
using Iroh.Relay.WebSockets;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server;

/// <summary>
/// One relay: lets clients in, forwards their datagrams, and keeps watch over their connections. It has no socket: web servers hand it
/// connections (<see cref="Hosting.RelayRoutes"/>). Thread-safe.
/// </summary>
public sealed partial class RelayService : IAsyncDisposable
{
    // How closely pings and time-outs are kept: fine enough for write limits of 2 s.
    private static readonly TimeSpan s_checkInterval = TimeSpan.FromMilliseconds(250);

    // The web server allows 10 s each for TLS and for the request: 30 s in all, as iroh's relay has it.
    private static readonly TimeSpan s_handshakeLimit = TimeSpan.FromSeconds(10);

    // How closely the spread of a shutdown is kept.
    private static readonly TimeSpan s_drainStep = TimeSpan.FromMilliseconds(20);

    // What clients get to answer close frames, and to take what waits for them.
    private static readonly TimeSpan s_drainLimit = TimeSpan.FromSeconds(3);

    private readonly RelayOptions _options;
    private readonly ILogger _logger;
    private readonly RelayParts _parts;
    private readonly ConcurrentDictionary<ulong, ClientConnection> _connections = new();
    private readonly long _startedAt;
    private readonly ITimer _checking;
    private int _openCount;
    private ulong _lastConnectionId;
    private volatile bool _isDraining;

    /// <summary>Makes a relay.</summary>
    /// <param name="options">How it treats its clients.</param>
    /// <exception cref="RelayServerException">An option is out of its range.</exception>
    public RelayService(RelayOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _logger = options.Loggers.CreateLogger<RelayService>();
        _startedAt = options.Time.GetTimestamp();
        _parts = new RelayParts(new ClientRegistry<ClientConnection>(), Counters, () => Now, options.Time, options.ReceiveLimit);
        Metrics = new RelayMetrics(Counters, () => _connections.Count, () => _parts.Registry.Count, options.Meters);
        _checking = options.Time.CreateTimer(static state => ((RelayService)state!).CheckTimers(), this, s_checkInterval, s_checkInterval);
    }

    /// <summary>How many clients are let in now.</summary>
    public int ClientCount => _connections.Count;

    /// <summary>Whether the relay shuts down and takes nobody any more.</summary>
    public bool IsDraining => _isDraining;

    internal RelayCounters Counters { get; } = new();

    internal RelayMetrics Metrics { get; }

    private TimeSpan Now => _options.Time.GetElapsedTime(_startedAt);

    /// <summary>
    /// Ends the relay in order: takes nobody any more, tells all clients that it restarts and when to come back, and closes their
    /// connections one after the other over up to 5 s, each with what waits for it sent first.
    /// </summary>
    /// <param name="cancellationToken">Cuts it short: the connections that are left are broken off.</param>
    public async Task DrainAsync(CancellationToken cancellationToken = default)
    {
        _isDraining = true;
        ClientConnection[] clients = [.. _connections.Values];
        if (clients.Length == 0)
            return;
        LogDraining(_logger, clients.Length);
        var closeIn = new TimeSpan[clients.Length];
        for (int i = 0; i < clients.Length; i++)
        {
            (closeIn[i], TimeSpan reconnectIn) = RestartSchedule.For(i, clients.Length, _options.Random.NextBelow(1000) / 1000.0);
            clients[i].AnnounceRestart(reconnectIn, RestartSchedule.TryFor);
        }

        TimeSpan start = Now;
        int closed = 0;
        try
        {
            while (!_connections.IsEmpty && Now - start < RestartSchedule.SpreadMax + s_drainLimit)
            {
                for (; closed < clients.Length && closeIn[closed] <= Now - start; closed++)
                    clients[closed].Close(WebSocketCloseCode.GoingAway);
                await Task.Delay(s_drainStep, _options.Time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // What follows breaks off what is left.
        }

        foreach (ClientConnection client in _connections.Values)
            client.Abort("");
    }

    /// <summary>Breaks off what is left and stops the watch. <see cref="DrainAsync"/> comes before it in good times.</summary>
    public async ValueTask DisposeAsync()
    {
        _isDraining = true;
        foreach (ClientConnection client in _connections.Values)
            client.Abort("");
        await _checking.DisposeAsync().ConfigureAwait(false);
        Metrics.Dispose();
    }

    /// <summary>Counts a connection before it is let in; <see cref="Release"/> is its counterpart.</summary>
    /// <returns>False if the relay has no room, or shuts down.</returns>
    internal bool TryOpen()
    {
        bool hasRoom = Interlocked.Increment(ref _openCount) <= _options.ConnectionsMax && !_isDraining;
        if (!hasRoom)
            Interlocked.Decrement(ref _openCount);
        RelayCounters.Count(ref hasRoom ? ref Counters.Upgrades : ref Counters.UpgradesRefused);
        return hasRoom;
    }

    /// <summary>A connection for which <see cref="TryOpen"/> said yes has ended.</summary>
    internal void Release() => Interlocked.Decrement(ref _openCount);

    /// <summary>Serves a connection for which <see cref="TryOpen"/> said yes, until it ends.</summary>
    /// <param name="transport">The connection.</param>
    /// <param name="version">What was agreed on.</param>
    /// <param name="token">What the client shows.</param>
    /// <param name="remoteAddress">Where it comes from, if known.</param>
    internal async Task ServeAsync(RelayTransport transport, RelayVersion version, string? token, IPAddress? remoteAddress)
    {
        try
        {
            using var messages = new WebSocketMessageReader(ClientConnection.MessageMax);
            if (await LetInAsync(transport.Pipe, messages, token, remoteAddress).ConfigureAwait(false) is { } access)
                await RunAsync(new ClientConnection(_parts, access, version, transport, Jitter()), messages).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // The client went away in its handshake, or took too long for it.
        }
    }

    private async Task RunAsync(ClientConnection client, WebSocketMessageReader messages)
    {
        RelayCounters.Count(ref Counters.Accepts);
        _connections[client.Access.ConnectionId] = client;
        LogLetIn(_logger, client.Access.Id, client.Access.RemoteAddress);
        try
        {
            // Draining may have begun since the connection was counted.
            if (_isDraining)
                client.Close(WebSocketCloseCode.GoingAway);
            await client.RunAsync(messages).ConfigureAwait(false);
        }
        finally
        {
            _connections.TryRemove(client.Access.ConnectionId, out _);
            RelayCounters.Count(ref Counters.Disconnects);
            if (client.DropReason.Length > 0)
                LogDropped(_logger, client.Access.Id, client.DropReason);
            else
                LogLeft(_logger, client.Access.Id);
            _options.Access.OnDisconnected(client.Access);
        }
    }

    /// <summary>The handshake and the question of access.</summary>
    /// <returns>What the client is let in with; null if it is not.</returns>
    private async Task<AccessRequest?> LetInAsync(IDuplexPipe transport, WebSocketMessageReader messages, string? token, IPAddress? remoteAddress)
    {
        using var limit = new CancellationTokenSource(s_handshakeLimit, _options.Time);
        byte[] challenge = new byte[RelayHandshake.ChallengeLength];
        _options.Random.Fill(challenge);
        byte[] frame = new byte[RelayHandshake.ServerChallengeLength];
        RelayHandshake.WriteServerChallenge(frame, challenge);
        await transport.Output.WriteAsync(WebSocketFrameHeader.Encode(WebSocketOpcode.Binary, frame), limit.Token).ConfigureAwait(false);
        (EndpointId Id, bool IsProved)? answer = await HandshakeReading.ReadAnswerAsync(transport.Input, messages, challenge, limit.Token).ConfigureAwait(false);
        if (answer is not { } client)
        {
            RelayCounters.Count(ref Counters.ProtocolErrors);
            await transport.Output.WriteAsync(WebSocketFrameHeader.EncodeClose(WebSocketCloseCode.ProtocolError), limit.Token).ConfigureAwait(false);
            return null;
        }

        var request = new AccessRequest(client.Id, token, remoteAddress, Interlocked.Increment(ref _lastConnectionId));
        AccessDecision decision = client.IsProved
            ? await DecideAsync(request, limit.Token).ConfigureAwait(false)
            : AccessDecision.Denied(RelayHandshake.SignatureInvalid);
        if (decision.IsAllowed)
            return request;

        RelayCounters.Count(ref Counters.Denials);
        LogDenied(_logger, client.Id, remoteAddress, decision.Reason);
        byte[] denial = WebSocketFrameHeader.Encode(
            WebSocketOpcode.Binary, RelayHandshake.ServerDeniesAuth(decision.Reason.Length > 0 ? decision.Reason : RelayHandshake.NotAuthorized));
        await transport.Output.WriteAsync(denial, limit.Token).ConfigureAwait(false);
        await transport.Output.WriteAsync(WebSocketFrameHeader.EncodeClose(WebSocketCloseCode.PolicyViolation), limit.Token).ConfigureAwait(false);
        return null;
    }

    private async ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await _options.Access.DecideAsync(request, cancellationToken).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whatever goes wrong in somebody's access control must not let anybody in, nor end the relay.
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            LogAccessFailed(_logger, exception, request.Id);
            return AccessDecision.Denied(RelayHandshake.NotAuthorized);
        }
    }

    private TimeSpan Jitter()
    {
        double part = _options.Random.NextBelow(1_000_000) / 1_000_000.0;
        return ClientTimers.JitterMin + ((ClientTimers.JitterMax - ClientTimers.JitterMin) * part);
    }

    private void CheckTimers()
    {
        TimeSpan now = Now;
        foreach ((_, ClientConnection client) in _connections)
            client.CheckTimers(now);
    }
}
