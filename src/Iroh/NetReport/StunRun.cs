using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading.Channels;
using Iroh.NetReport.Stun;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.NetReport;

/// <summary>Asks one STUN server through probe sockets: resolves its name, drives a <see cref="StunProber"/>, tells what came.</summary>
internal sealed class StunRun(IProbeSockets sockets, TimeProvider time)
{
    // Answers to everything that is asked at once, with repetitions; a flood beyond that is dropped.
    private const int AnswersMax = 64;

    // A name server that is silent is asked again by the system for much longer.
    private static readonly TimeSpan s_resolvePatience = TimeSpan.FromSeconds(2);

    private readonly StunProber _prober = new();
    private readonly Dictionary<IPEndPoint, PlannedProbe> _asked = [];

    /// <summary>Asks over all families that the probes name and ends when each was answered or given up.</summary>
    /// <param name="server">Whom to ask.</param>
    /// <param name="probes">The questions, one a family.</param>
    /// <param name="onAnswer">Called for each answer.</param>
    /// <param name="onFailure">Called for each question that stays without one, with a sentence, or null if it was not asked.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task RunAsync(
        StunServer server, IReadOnlyList<PlannedProbe> probes, Action<PlannedProbe, ObservedAddress> onAnswer,
        Action<PlannedProbe, string?> onFailure, CancellationToken cancellationToken)
    {
        Channel<Arrival> inbox = Channel.CreateBounded<Arrival>(
            new BoundedChannelOptions(AnswersMax) { FullMode = BoundedChannelFullMode.DropWrite });
        ProbeDatagramHandler onDatagram = (from, datagram) =>
        {
            if (StunMessage.IsStun(datagram))
                inbox.Writer.TryWrite(new Arrival(time.Now(), from, datagram.ToArray()));
        };
        sockets.Received += onDatagram;
        try
        {
            Add(server, probes, await ResolveAsync(server, cancellationToken).ConfigureAwait(false), onFailure);
            while (true)
            {
                Transmit(onFailure);
                if (_prober.IsDone)
                    break;
                if (await ReceiveAsync(inbox.Reader, cancellationToken).ConfigureAwait(false) is { } arrival
                    && _prober.HandleDatagram(arrival.At, arrival.From, arrival.Datagram) is { } answer
                    && _asked.Remove(answer.Server, out PlannedProbe? probe))
                    onAnswer(probe, answer.Observed);
            }

            foreach (PlannedProbe probe in _asked.Values)
                onFailure(probe, $"STUN server {probe.Server} did not answer over {Name(probe.Family)} within {StunProber.Patience.TotalSeconds:0} s.");
        }
        finally
        {
            sockets.Received -= onDatagram;
        }
    }

    private void Add(StunServer server, IReadOnlyList<PlannedProbe> probes, IPAddress[] addresses, Action<PlannedProbe, string?> onFailure)
    {
        foreach (PlannedProbe probe in probes)
        {
            IPAddress? address = Array.Find(addresses, candidate => candidate.AddressFamily == probe.Family);
            if (address is null)
            {
                onFailure(probe, addresses.Length == 0 ? $"STUN server {server} has no address: its name cannot be resolved." : null);
                continue;
            }

            var endPoint = new IPEndPoint(address, server.Port);
            _asked.Add(endPoint, probe);
            _prober.TryAdd(time.Now(), endPoint, NewId());
        }
    }

    private void Transmit(Action<PlannedProbe, string?> onFailure)
    {
        Span<byte> request = stackalloc byte[StunMessage.RequestLength];
        while (_prober.TryGetTransmit(time.Now(), request, out IPEndPoint? to, out int length))
        {
            if (!sockets.TrySend(to!, request[..length]) && _asked.Remove(to!, out PlannedProbe? probe))
            {
                _prober.GiveUp(to!);
                onFailure(probe, $"STUN server {probe.Server} cannot be reached over {Name(probe.Family)}: there is no route.");
            }
        }
    }

    // Null when the prober wants to send.
    private async Task<Arrival?> ReceiveAsync(ChannelReader<Arrival> inbox, CancellationToken cancellationToken)
    {
        TimeSpan wait = _prober.NextTimeout - time.Now();
        using var due = new CancellationTokenSource(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(due.Token, cancellationToken);
        try
        {
            return await inbox.ReadAsync(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<IPAddress[]> ResolveAsync(StunServer server, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(server.Host, out IPAddress? address))
            return [address];
        try
        {
            return await System.Net.Dns.GetHostAddressesAsync(server.Host, cancellationToken)
                .WaitAsync(s_resolvePatience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SocketException or TimeoutException)
        {
            return [];
        }
    }

    private static StunTransactionId NewId()
    {
        Span<byte> random = stackalloc byte[StunTransactionId.Length];
        RandomNumberGenerator.Fill(random);
        return StunTransactionId.Read(random);
    }

    private static string Name(AddressFamily family) => family == AddressFamily.InterNetwork ? "IPv4" : "IPv6";

    private sealed record Arrival(Instant At, IPEndPoint From, byte[] Datagram);
}
