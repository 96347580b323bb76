using Iroh.Base;
using Iroh.Blobs.Requests;

namespace Iroh.Blobs.Provider;

/// <summary>Counts what is served to each peer, over all its connections, and holds it to the limits. Knows only peers that are being served.
/// Thread-safe.</summary>
/// <param name="options">The limits.</param>
internal sealed class PeerBudgets(BlobProviderOptions options)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<EndpointId, PeerBudget> _peers = [];
    private readonly ByteRate? _totalRate = options.BytesPerSecond is { } total ? new ByteRate(total) : null;
    private int _requests;
    private int _observers;

    /// <summary>Observers of all peers.</summary>
    public int Observers => Volatile.Read(ref _observers);

    /// <summary>Takes a place for a request.</summary>
    /// <returns>The place, to be disposed when the request ended; null if there is none left.</returns>
    public Place? TryEnter(EndpointId peer, BlobRequestType type)
    {
        bool observes = type == BlobRequestType.Observe;
        lock (_lock)
        {
            PeerBudget budget = _peers.GetValueOrDefault(peer) ?? new PeerBudget(options.BytesPerSecondPerPeer);
            if (observes ? budget.Observers >= options.ObserversPerPeerMax : budget.Requests >= options.RequestsPerPeerMax || _requests >= options.RequestsMax)
                return null;
            _peers[peer] = budget;
            if (observes)
                (budget.Observers, _observers) = (budget.Observers + 1, _observers + 1);
            else
                (budget.Requests, _requests) = (budget.Requests + 1, _requests + 1);
            return new Place(this, peer, budget, observes);
        }
    }

    private void Leave(EndpointId peer, PeerBudget budget, bool observes)
    {
        lock (_lock)
        {
            if (observes)
                (budget.Observers, _observers) = (budget.Observers - 1, _observers - 1);
            else
                (budget.Requests, _requests) = (budget.Requests - 1, _requests - 1);
            if (budget is { Requests: 0, Observers: 0 })
                _peers.Remove(peer);
        }
    }

    /// <summary>The place of one request.</summary>
    internal sealed class Place(PeerBudgets budgets, EndpointId peer, PeerBudget budget, bool observes) : IDisposable
    {
        /// <summary>The rate of the peer; null = no limit.</summary>
        public ByteRate? PeerRate => budget.Rate;

        /// <summary>The rate of all peers together; null = no limit.</summary>
        public ByteRate? TotalRate => budgets._totalRate;

        /// <inheritdoc/>
        public void Dispose() => budgets.Leave(peer, budget, observes);
    }

    /// <summary>What one peer uses. Under the lock of all.</summary>
    internal sealed class PeerBudget(long? bytesPerSecond)
    {
        public ByteRate? Rate { get; } = bytesPerSecond is { } rate ? new ByteRate(rate) : null;

        public int Requests { get; set; }

        public int Observers { get; set; }
    }
}
