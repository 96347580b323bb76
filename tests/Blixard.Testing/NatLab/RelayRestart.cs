using System.Diagnostics;
using System.Globalization;
using System.Net;
using Blixard.Testing.Namespaces;
using Iroh;
using Iroh.Base;
using Iroh.Quic;

namespace Blixard.Testing.NatLab;

/// <summary>
/// Many connections over one relay, whose process is killed and started again at the same place. The endpoints are in this process and have
/// nothing but the relay: those that dial are bound to ::1, those that accept to 127.0.0.1. Needs neither root nor namespaces. One owner.
/// </summary>
public sealed class RelayRestart : IAsyncDisposable
{
    private const string Protocol = "restart/1";

    // As many handshakes at once as keep two processors busy without making each other time out.
    private const int DialsAtOnce = 32;

    // A connection ends after 30 s of silence; the machine may be busy with a thousand others meanwhile.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _program;
    private readonly List<IrohEndpoint> _endpoints = [];
    private readonly List<Task> _serving = [];
    private readonly List<IrohConnection> _connections = [];
    private LabProgram _relay;

    private RelayRestart(string program, LabProgram relay) => (_program, _relay) = (program, relay);

    /// <summary>Kills and restarts a relay under <paramref name="listeners"/> × <paramref name="diallers"/> connections.</summary>
    /// <param name="program">The path of blixard.dll.</param>
    /// <param name="listeners">How many endpoints accept.</param>
    /// <param name="diallers">How many endpoints dial, each every one that accepts.</param>
    /// <exception cref="LabException">A connection did not come up, or the relay did not start.</exception>
    public static async Task<RelayRestartOutcome> RunAsync(string program, int listeners, int diallers)
    {
        var restart = new RelayRestart(program, LabProgram.StartHere(program, "relay", "serve", "--http", "127.0.0.1:0"));
        await using (restart.ConfigureAwait(false))
        {
            string http = (await restart._relay.UntilEventAsync("listening").ConfigureAwait(false))["http"]!.GetValue<string>();
            await restart.ConnectAsync(RelayUrl.Parse($"http://{http}"), listeners, diallers).ConfigureAwait(false);
            return await restart.KillAsync(http).ConfigureAwait(false);
        }
    }

    /// <summary>Closes the endpoints and ends the relay.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_endpoints.Select(endpoint => endpoint.DisposeAsync().AsTask())).ConfigureAwait(false);
        await Task.WhenAll(_serving).ConfigureAwait(false);
        await _relay.DisposeAsync().ConfigureAwait(false);
    }

    private async Task ConnectAsync(RelayUrl relay, int listeners, int diallers)
    {
        List<IrohEndpoint> accepting = [];
        for (int i = 0; i < listeners; i++)
        {
            IrohEndpoint endpoint = await BindAsync(IPAddress.Loopback, relay).ConfigureAwait(false);
            _serving.Add(ServeAsync(endpoint));
            accepting.Add(endpoint);
            await endpoint.WaitOnlineAsync().WaitAsync(s_patience).ConfigureAwait(false);
        }

        var pairs = new List<(IrohEndpoint From, EndpointAddress To)>();
        for (int i = 0; i < diallers; i++)
        {
            IrohEndpoint endpoint = await BindAsync(IPAddress.IPv6Loopback, relay).ConfigureAwait(false);
            pairs.AddRange(accepting.Select(peer => (endpoint, new EndpointAddress(peer.Id, [TransportAddress.Relay(relay)]))));
        }

        await Parallel.ForEachAsync(pairs, new ParallelOptions { MaxDegreeOfParallelism = DialsAtOnce }, async (pair, cancellationToken) =>
        {
            try
            {
                IrohConnection connection = await pair.From.ConnectAsync(pair.To, Protocol, cancellationToken).ConfigureAwait(false);
                lock (_connections)
                    _connections.Add(connection);
                await AskAsync(connection).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IrohConnectException or QuicConnectionException or TimeoutException)
            {
                throw new LabException($"a connection did not come up over the relay: {e.Message}", e);
            }
        }).ConfigureAwait(false);
        if (_connections.Find(connection => connection.Path.Kind != IrohPathKind.Relay) is { } direct)
            throw new LabException($"{direct} has another way than the relay: {direct.Path.RemoteText}");
    }

    private async Task<RelayRestartOutcome> KillAsync(string http)
    {
        await _relay.KillAsync().ConfigureAwait(false);
        long killed = Stopwatch.GetTimestamp();
        Task<(TimeSpan StoodStill, string? Problem)>[] asking = [.. _connections.Select(connection => Task.Run(() => AskAgainAsync(connection, killed)))];
        await _relay.DisposeAsync().ConfigureAwait(false);
        _relay = LabProgram.StartHere(_program, "relay", "serve", "--http", http);
        LabEvent listening = await _relay.UntilAsync(seen => LabProgram.Is(seen, "listening"), "the relay listens again").ConfigureAwait(false);
        (TimeSpan StoodStill, string? Problem)[] answers = await Task.WhenAll(asking).ConfigureAwait(false);
        return new RelayRestartOutcome(
            answers.Length,
            Stopwatch.GetElapsedTime(killed, listening.At),
            [.. answers.Where(answer => answer.Problem is null).Select(answer => answer.StoodStill).Order()],
            [.. answers.Where(answer => answer.Problem is not null).Select(answer => answer.Problem!)]);
    }

    private static async Task<(TimeSpan StoodStill, string? Problem)> AskAgainAsync(IrohConnection connection, long killed)
    {
        try
        {
            await AskAsync(connection).ConfigureAwait(false);
            TimeSpan stoodStill = Stopwatch.GetElapsedTime(killed);

            // The one answer was not the last breath.
            await AskAsync(connection).ConfigureAwait(false);
            return (stoodStill, null);
        }
        catch (Exception e) when (e is QuicConnectionException or QuicStreamException or TimeoutException or LabException)
        {
            TimeSpan after = Stopwatch.GetElapsedTime(killed);
            return (default, string.Create(CultureInfo.InvariantCulture, $"{connection.RemoteId.ToShortString()}, {after.TotalSeconds:0.0} s after the relay was killed: {e.Message}"));
        }
    }

    private static async Task AskAsync(IrohConnection connection)
    {
        using var limit = new CancellationTokenSource(s_patience);
        byte[] question = Guid.NewGuid().ToByteArray();
        byte[] answer = new byte[question.Length];
        try
        {
            QuicStream stream = await connection.OpenBidirectionalStreamAsync(limit.Token).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                await stream.WriteAsync(question, limit.Token).ConfigureAwait(false);
                stream.CompleteWrites();
                await stream.ReadExactlyAsync(answer, limit.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"no answer within {s_patience.TotalSeconds:0} s", e);
        }

        if (!question.AsSpan().SequenceEqual(answer))
            throw new LabException("what came back is not what was sent");
    }

    private async Task<IrohEndpoint> BindAsync(IPAddress address, RelayUrl relay)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            BindAddresses = [new IPEndPoint(address, 0)],
            ApplicationProtocols = [Protocol],
            Relays = [new RelayConfiguration(relay)],
            MapPorts = false,
        }).ConfigureAwait(false);
        _endpoints.Add(endpoint);
        return endpoint;
    }

    private static async Task ServeAsync(IrohEndpoint endpoint)
    {
        var echoing = new List<Task>();
        while (await endpoint.AcceptAsync().ConfigureAwait(false) is { } connection)
            echoing.Add(EchoAsync(connection));
        await Task.WhenAll(echoing).ConfigureAwait(false);
    }

    private static async Task EchoAsync(IrohConnection connection)
    {
        try
        {
            while (true)
            {
                QuicStream stream = await connection.AcceptBidirectionalStreamAsync().ConfigureAwait(false);
                await using (stream.ConfigureAwait(false))
                {
                    await stream.CopyToAsync(stream).ConfigureAwait(false);
                    stream.CompleteWrites();
                }
            }
        }
        catch (Exception e) when (e is QuicConnectionException or QuicStreamException)
        {
            // Closed by the end that dialled, or lost: that end tells.
        }
    }
}
