using Blixard.Cluster.Images;
using Blixard.Cluster.Liveness;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tokens;
using Blixard.Cluster.Vms;
using Iroh.Cryptography;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Membership;

/// <summary>The cluster's records as this node reaches them: in its own store, or in a server's.</summary>
internal sealed class NodeCluster : IAsyncDisposable
{
    public NodeCluster(IClusterStore store, bool isStoreHere, TimeProvider time, ILoggerFactory loggers)
    {
        (Store, IsStoreHere) = (store, isStoreHere);
        Tokens = new JoinTokens(store, OperatingSystemRandomSource.Instance, time);
        Members = new Members(store, Tokens, time);
        Vms = new VmRecords(store, time);
        Images = new ImageRecords(store);
        Liveness = new LivenessRecords(store, time);
        Directory = new MemberDirectory(Members, isStoreHere, loggers.CreateLogger<MemberDirectory>());
    }

    public IClusterStore Store { get; }

    public bool IsStoreHere { get; }

    public JoinTokens Tokens { get; }

    public Members Members { get; }

    public VmRecords Vms { get; }

    public ImageRecords Images { get; }

    public LivenessRecords Liveness { get; }

    public MemberDirectory Directory { get; }

    /// <summary>Ends the watches and closes the store.</summary>
    public async ValueTask DisposeAsync()
    {
        await Directory.DisposeAsync().ConfigureAwait(false);
        await Store.DisposeAsync().ConfigureAwait(false);
    }
}
