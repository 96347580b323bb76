using System.Net;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tokens;
using Blixard.Images;
using Blixard.Node.Events;
using Blixard.Node.Images;
using Blixard.Node.Liveness;
using Blixard.Node.Membership;
using Blixard.Node.P2p;
using Blixard.Node.Peers;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Peers;
using Blixard.Testing.Basics;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Cryptography;
using Iroh.Docs;
using Iroh.Docs.Store;
using Iroh.Docs.Sync;
using Iroh.Protocols;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Node.Tests.Images;

/// <summary>
/// One node's catalogue, and beside it a second one that the test plays, on real endpoints and a clock that stands: what happens without the clock's
/// going on by the interval of a look happens because something woke the node.
/// </summary>
internal sealed class CatalogueBench : IAsyncDisposable
{
    // Less than the interval of a look, and more pauses than anything here takes.
    private static readonly TimeSpan AdvanceMax = TimeSpan.FromSeconds(8);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SharedFor = TimeSpan.FromHours(1);

    private readonly string _directory = Directory.CreateTempSubdirectory("blixard-catalogue-").FullName;
    private readonly RpcMetrics _metrics = new();
    private readonly MemoryBlobStore _otherBlobs = new();
    private readonly MemoryDocumentStore _otherDocuments = new();
    private readonly List<IAsyncDisposable> _parts = [];
    private DiskBlobStore _blobs = null!;
    private SqliteStore _store = null!;
    private NodeCluster _cluster = null!;
    private IrohEndpoint _endpoint = null!;
    private IrohEndpoint _other = null!;

    private CatalogueBench()
    {
    }

    public ManualTimeProvider Time { get; } = new();

    /// <summary>Whether the node knows the other one as a member.</summary>
    public bool IsMember => _cluster.Directory.TryGet(_other.Id, out _);

    private bool IsPausing => Time.HasTimer(TimeSpan.Zero, Pause);

    /// <summary>What the test plays.</summary>
    public CatalogueSession Other { get; private set; } = null!;

    public static async Task<CatalogueBench> StartAsync()
    {
        var bench = new CatalogueBench();
        bench._blobs = DiskBlobStore.Open(Path.Combine(bench._directory, "blobs"), new BlobStoreOptions { TimeProvider = bench.Time });
        bench._store = SqliteStore.Open(Path.Combine(bench._directory, "store.db"), bench.Time, OperatingSystemRandomSource.Instance);
        bench._cluster = new NodeCluster(bench._store, isStoreHere: true, [], bench.Time, NullLoggerFactory.Instance);
        bench._endpoint = await BindAsync();
        bench._other = await BindAsync();
        var record = new CatalogueRecord
        {
            NamespaceSeed = ByteString.CopyFrom(NamespaceSecret.Generate(OperatingSystemRandomSource.Instance).Seed),
            SharedUntil = Timestamp.FromDateTimeOffset(bench.Time.GetUtcNow() + SharedFor),
        };
        await bench._cluster.Catalogues.CreateAsync(record);
        await bench._cluster.Members.BootstrapAsync(InfoOf("one", bench._endpoint), MemberAddress.ToMessage(bench._endpoint.Address), Members.NewClusterId(OperatingSystemRandomSource.Instance));
        await bench.StartNodeAsync();
        await bench.StartOtherAsync(record);
        return bench;
    }

    /// <summary>Makes the other one a member.</summary>
    public async Task AddOtherAsync()
    {
        JoinToken token = await _cluster.Tokens.CreateAsync(NodeRole.Worker);
        await _cluster.Members.JoinAsync(token.Secret, InfoOf("two", _other), MemberAddress.ToMessage(_other.Address));
    }

    /// <summary>Takes it out again.</summary>
    public Task RemoveOtherAsync() => _cluster.Members.LeaveAsync(_other.Id);

    /// <summary>Has the other one sync with the node.</summary>
    /// <returns>Whether it did: not before the node serves the document.</returns>
    public async Task<bool> TrySyncOtherAsync()
    {
        try
        {
            await Other.Own!.Document.SyncWithAsync(_endpoint.Address);
            return true;
        }
        catch (SyncException e) when (e.Failure is SyncFailure.NotFound or SyncFailure.AlreadySyncing)
        {
            return false;
        }
    }

    /// <summary>Waits for something to happen, while the clock goes on only for those who pause, and never as far as the next look.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        using CancellationTokenSource limit = Patience.Start();
        TimeSpan advanced = TimeSpan.Zero;
        Task<bool> asking = condition();
        while (!asking.IsCompleted || !await asking)
        {
            Assert.False(limit.IsCancellationRequested, $"not within {Patience.Limit.TotalSeconds:0} s and {advanced} on the node's clock: {what}");
            if (asking.IsCompleted)
                asking = condition();
            // What is asked may itself wait for the clock.
            if (advanced < AdvanceMax && IsPausing)
            {
                Time.Advance(Pause);
                advanced += Pause;
            }

            await Task.Delay(5, CancellationToken.None);
        }
    }

    public Task UntilAsync(Func<bool> condition, string what) => UntilAsync(() => Task.FromResult(condition()), what);

    /// <summary>Waits until the node has done what its start brings, and would look again by itself in its interval only.</summary>
    public Task UntilRestingAsync() =>
        UntilAsync(() => !IsPausing && Time.HasTimer(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10)), "nothing but the next look is to be done");

    // Farewells wait on the clock.
    public async ValueTask DisposeAsync()
    {
        Task ending = EndAsync();
        await Patience.AdvanceUntilAsync(ending, Time, "the end of the node");
        await ending;
    }

    private async Task EndAsync()
    {
        for (int i = _parts.Count - 1; i >= 0; i--)
            await _parts[i].DisposeAsync();
        await _endpoint.DisposeAsync();
        await _other.DisposeAsync();
        _otherDocuments.Dispose();
        await _blobs.DisposeAsync();
        await _otherBlobs.DisposeAsync();
        await _cluster.DisposeAsync();
        await _store.DisposeAsync();
        _metrics.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static Task<IrohEndpoint> BindAsync() => IrohEndpoint.BindAsync(
        new IrohEndpointOptions { BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)], UseRelays = false, MapPorts = false });

    private static NodeInfo InfoOf(string name, IrohEndpoint endpoint) => new()
    {
        Name = name,
        EndpointId = ByteString.CopyFrom(endpoint.Id.Span),
        GrpcAddress = "127.0.0.1:1",
        Capacity = new NodeCapacity { Vcpus = 1, MemoryMib = 1 },
    };

    private async Task StartNodeAsync()
    {
        var self = new NodeSelf("one", isServer: true, new NodeCapacity(), new Dictionary<string, string>()) { Id = _endpoint.Id };
        var events = new NodeEventHub();
        var options = new NodeOptions { Name = "one", DataDirectory = _directory };
        var p2p = new P2pEndpoint(options, self, events, Time, _metrics, NullLoggerFactory.Instance);
        var peers = new PeerTable(() => null, Time, _metrics, NullLogger<PeerChannel>.Instance);
        var nodeBlobs = new NodeBlobs(_blobs, _cluster.Directory, p2p, Time);
        ImageStore store = await ImageStore.OpenAsync(_blobs, Path.Combine(_directory, "images"), Time);
        var images = new NodeImages(self, _cluster, peers, nodeBlobs, events, store, Time) { Known = [] };
        var liveness = new NodeLiveness(_cluster, events);
        var catalogue = new NodeCatalogue(self, _cluster, images, nodeBlobs, liveness, Path.Combine(_directory, "documents"), events, Time);
        var router = new ProtocolRouter(_endpoint, catalogue.Attach(_endpoint));
        _parts.AddRange([p2p, new Closing(images.Dispose), new Closing(nodeBlobs.Dispose), new Closing(peers.Dispose), liveness, catalogue, new Closing(catalogue.DetachAsync), router]);
    }

    private async Task StartOtherAsync(CatalogueRecord record)
    {
        var sources = new IrohBlobSources(_other);
        Other = new CatalogueSession(_other, _otherDocuments, _otherBlobs, sources, "two", (_, _) => true, static () => { }, Time);
        var router = new ProtocolRouter(_other, Other.Handlers);
        _parts.AddRange([sources, Other, router]);
        await Other.FollowAsync(new Blixard.Cluster.Images.CatalogueState(record, []), [], CancellationToken.None);
    }

    private sealed class Closing(Func<ValueTask> close) : IAsyncDisposable
    {
        public Closing(Action close)
            : this(() =>
            {
                close();
                return ValueTask.CompletedTask;
            })
        {
        }

        public ValueTask DisposeAsync() => close();
    }
}
