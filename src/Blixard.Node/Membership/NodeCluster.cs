using Blixard.Cluster.Images;
using Blixard.Cluster.Liveness;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tokens;
using Blixard.Cluster.Vms;
using Blixard.V1;
using Iroh.Cryptography;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Membership;

/// <summary>The cluster's records as this node reaches them: in its own store, or in a server's.</summary>
internal sealed class NodeCluster : IAsyncDisposable
{
    /// <summary>Begins to follow the members.</summary>
    /// <param name="store">Where the records are; stays the caller's.</param>
    /// <param name="isStoreHere">Whether that is this node's own and only here, so that it answers at once and always.</param>
    /// <param name="known">The members as known last.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Get the comings and goings.</param>
    public NodeCluster(IClusterStore store, bool isStoreHere, IEnumerable<Member> known, TimeProvider time, ILoggerFactory loggers)
    {
        Store = store;
        Tokens = new JoinTokens(store, OperatingSystemRandomSource.Instance, time);
        Members = new Members(store, Tokens, time);
        Vms = new VmRecords(store, time);
        Images = new ImageRecords(store);
        Catalogues = new CatalogueRecords(store);
        Liveness = new LivenessRecords(store, time);
        Directory = new MemberDirectory(Members, isStoreHere, loggers.CreateLogger<MemberDirectory>(), known);
    }

    public IClusterStore Store { get; }

    public JoinTokens Tokens { get; }

    public Members Members { get; }

    public VmRecords Vms { get; }

    public ImageRecords Images { get; }

    public CatalogueRecords Catalogues { get; }

    public LivenessRecords Liveness { get; }

    public MemberDirectory Directory { get; }

    /// <summary>Ends the watch of the members.</summary>
    public ValueTask DisposeAsync() => Directory.DisposeAsync();
}
