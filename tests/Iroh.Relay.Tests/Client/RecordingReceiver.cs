using System.Collections.Concurrent;
using System.Threading.Channels;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;

namespace Iroh.Relay.Tests.Client;

internal sealed record ReceivedDatagrams(RelayUrl Relay, EndpointId Source, EcnCodepoint Ecn, byte[] Payload, int SegmentSize);

/// <summary>Keeps what relays sent, for tests to wait for.</summary>
internal sealed class RecordingReceiver : IRelayReceiver
{
    private readonly Channel<ReceivedDatagrams> _datagrams = Channel.CreateUnbounded<ReceivedDatagrams>();
    private readonly Channel<(RelayUrl Relay, EndpointId Peer)> _gone = Channel.CreateUnbounded<(RelayUrl, EndpointId)>();
    private readonly Channel<RelayClientStatus> _changes = Channel.CreateUnbounded<RelayClientStatus>();

    /// <summary>All changes of state so far.</summary>
    public ConcurrentQueue<RelayClientStatus> History { get; } = new();

    public async Task<ReceivedDatagrams> NextDatagramsAsync() => await NextAsync(_datagrams.Reader, _ => true);

    public async Task<(RelayUrl Relay, EndpointId Peer)> NextGoneAsync() => await NextAsync(_gone.Reader, _ => true);

    /// <summary>Skips changes up to the first that fits.</summary>
    public async Task<RelayClientStatus> UntilAsync(Func<RelayClientStatus, bool> fits) => await NextAsync(_changes.Reader, fits);

    public Task<RelayClientStatus> UntilAsync(RelayState state) => UntilAsync(status => status.State == state);

    public void OnDatagrams(RelayUrl relay, EndpointId source, EcnCodepoint ecn, Span<byte> payload, int segmentSize) =>
        _datagrams.Writer.TryWrite(new ReceivedDatagrams(relay, source, ecn, payload.ToArray(), segmentSize));

    public void OnPeerGone(RelayUrl relay, EndpointId peer) => _gone.Writer.TryWrite((relay, peer));

    public void OnStatusChanged(RelayClientStatus status)
    {
        History.Enqueue(status);
        _changes.Writer.TryWrite(status);
    }

    private static async Task<T> NextAsync<T>(ChannelReader<T> reader, Func<T, bool> fits)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            T next = await reader.ReadAsync(patience.Token);
            if (fits(next))
                return next;
        }
    }
}
