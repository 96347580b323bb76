using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Peers;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Peers;

/// <summary>Another node, and the ways to call it. Thread-safe.</summary>
internal sealed class Peer : IDisposable
{
    public Peer(
        EndpointId id, string name, Func<NodeCertificateSource?> certificate, TimeProvider time, RpcMetrics metrics, ILogger<PeerChannel> logger)
    {
        (Id, Name) = (id, name);
        Grpc = new GrpcRoute(name, id.Span.ToArray(), certificate, time, metrics);
        Channel = new PeerChannel(name, Grpc, time, metrics, logger: logger);
    }

    public EndpointId Id { get; }

    public string Name { get; }

    public GrpcRoute Grpc { get; }

    /// <summary>Calls it on the best way there is.</summary>
    public PeerChannel Channel { get; }

    public void Dispose()
    {
        Channel.Dispose();
        Grpc.Dispose();
    }
}
