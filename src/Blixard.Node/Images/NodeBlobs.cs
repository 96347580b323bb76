using Blixard.Cluster.Links;
using Blixard.Cluster.Membership;
using Blixard.Node.P2p;
using Blixard.Node.Peers;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Exchanges;
using Blixard.Rpc.Services;
using Iroh;
using Iroh.Base;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Protocols;

namespace Blixard.Node.Images;

/// <summary>
/// Blobs between this node and the other members: serves them, and makes sources of them. Over P2P on connections of their own; while there is
/// no link, as exchanges on the calls that reach the member. Thread-safe.
/// </summary>
internal sealed class NodeBlobs : IEndpointProtocols, IDisposable
{
    private readonly MemberDirectory _members;
    private readonly P2pEndpoint _p2p;
    private readonly TimeProvider _time;
    private readonly BlobProvider _provider;
    private IrohBlobSources? _sources;

    /// <param name="store">What is served; stays the caller's.</param>
    /// <param name="members">Who may have it.</param>
    /// <param name="p2p">Knows the links.</param>
    /// <param name="time">The clock.</param>
    public NodeBlobs(IBlobStore store, MemberDirectory members, P2pEndpoint p2p, TimeProvider time)
    {
        (_members, _p2p, _time) = (members, p2p, time);
        _provider = new BlobProvider(store, new BlobProviderOptions { TimeProvider = time, Authorize = AuthorizeAsync });
    }

    /// <summary>What those who are no members may have; null: nothing. Asked for each of their requests.</summary>
    public Func<BlobRequestInfo, bool>? AdmitsOutsider { get; set; }

    /// <summary>Dials whoever has content; null while there is no endpoint.</summary>
    public IrohBlobSources? Sources => Volatile.Read(ref _sources);

    /// <summary>Serves exchanges of members.</summary>
    public RpcService Bind() => new ExchangeService(ServeAsync).Bind();

    /// <summary>A member as a source.</summary>
    public IBlobSource SourceOf(Peer peer) => new MemberSource(this, peer);

    public IReadOnlyDictionary<string, IProtocolHandler> Attach(IrohEndpoint endpoint)
    {
        Volatile.Write(ref _sources, new IrohBlobSources(endpoint, _time));
        return new Dictionary<string, IProtocolHandler> { [BlobProvider.ApplicationProtocol] = _provider };
    }

    public ValueTask DetachAsync() => Interlocked.Exchange(ref _sources, null)?.DisposeAsync() ?? ValueTask.CompletedTask;

    public void Dispose() => _provider.Dispose();

    private async ValueTask<BlobAccess> AuthorizeAsync(BlobRequestInfo request) =>
        await _members.IsMemberAsync(request.Peer).ConfigureAwait(false) || AdmitsOutsider?.Invoke(request) == true ? BlobAccess.Allow : BlobAccess.Permission;

    private async Task ServeAsync(string protocol, RpcContext context, ExchangeStream stream, CancellationToken cancellationToken)
    {
        if (protocol != BlobProvider.ApplicationProtocol)
            throw new RpcException(RpcStatusCode.NotFound, $"the protocol '{protocol}' is not served here");
        if (context.Peer.EndpointId is not { } bytes || !EndpointId.TryFromBytes(bytes.Span, out EndpointId id))
            throw new RpcException(RpcStatusCode.PermissionDenied, "exchanges are for members");
        await _provider.ServeStreamAsync(id, new ExchangeBlobStream(stream, isOwner: false), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A member on whatever way there is when a request is made.</summary>
    private sealed class MemberSource(NodeBlobs blobs, Peer peer) : IBlobSource
    {
        public string Name => peer.Name;

        public async ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken)
        {
            if (blobs._p2p.TryGetLink(peer.Id) is { State: LinkState.Ready } && Volatile.Read(ref blobs._sources) is { } sources)
            {
                try
                {
                    // Where it is the endpoint finds out: it knows the members' addresses.
                    return await sources.Create(new Iroh.Base.EndpointAddress(peer.Id), peer.Name).OpenStreamAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (Exception e) when (e is IOException or ObjectDisposedException)
                {
                    // The link is no more, or the endpoint; calls find another way.
                }
            }

            return new ExchangeBlobStream(ExchangeStream.Open(peer.Channel, BlobProvider.ApplicationProtocol, CancellationToken.None), isOwner: true);
        }
    }
}
