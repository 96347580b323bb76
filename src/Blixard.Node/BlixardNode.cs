using Blixard.Node.Events;
using Blixard.Node.Startup;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Node;

/// <summary>A running node. Thread-safe. It ends by <see cref="DisposeAsync"/>; that it should, because somebody asked over the
/// local API or because it left its cluster, <see cref="Ended"/> tells.</summary>
/// <remarks>VMs outlive it: they go on running when it ends, however it ends, and the next start takes them over. Only
/// leaving the cluster stops them.</remarks>
public sealed class BlixardNode : IAsyncDisposable
{
    private readonly NodeComposition _composition;
    private readonly Lazy<Task> _disposal;

    private BlixardNode(NodeComposition composition)
    {
        _composition = composition;
        _disposal = new Lazy<Task>(() => composition.DisposeAsync().AsTask());
    }

    /// <summary>The node's name.</summary>
    public string Name => _composition.Self.Name;

    /// <summary>Its endpoint id in hex; null while its key cannot be read and no former id is known.</summary>
    public string? EndpointId => _composition.Self.Id?.ToString();

    /// <summary>Where others reach its gRPC, "host:port"; null while it is not served.</summary>
    public string? GrpcAddress => _composition.Self.GrpcAddress is { Length: > 0 } address ? address : null;

    /// <summary>Where metrics and health are shown, "host:port"; null if they are not.</summary>
    public string? HttpAddress => _composition.HttpAddress;

    /// <summary>The path of the local API's socket.</summary>
    public string ApiSocketPath => _composition.ApiSocketPath;

    /// <summary>The cluster's id; "" while the node could not create one yet because its key cannot be read.</summary>
    public string ClusterId => _composition.ClusterId;

    /// <summary>Completes when the node should be disposed, with the reason for people. Not completed by <see cref="DisposeAsync"/>.</summary>
    public Task<string> Ended => _composition.Lifetime.Ended;

    /// <summary>Starts a node and returns when it serves.</summary>
    /// <param name="options">What it is started with.</param>
    /// <param name="start">How it begins.</param>
    /// <param name="loggers">Gets its log; null = nobody.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="NodeStartException">It did not start.</exception>
    public static async Task<BlixardNode> StartAsync(
        NodeOptions options, NodeStart start, ILoggerFactory? loggers = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(start);
        if (options.Validate() is { } wrong)
            throw new NodeStartException(NodeStartFailure.Usage, wrong);
        return new BlixardNode(await NodeComposition.StartAsync(
            options, start, loggers ?? NullLoggerFactory.Instance, TimeProvider.System, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>The ready event and what happens from this call on, until the node is disposed. A reader that falls far behind loses
    /// the oldest.</summary>
    public IAsyncEnumerable<NodeEvent> WatchEventsAsync(CancellationToken cancellationToken = default) =>
        _composition.Events.Watch(cancellationToken);

    /// <summary>Ends the node: links are closed, calls are given up, VMs go on running.</summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);
}
