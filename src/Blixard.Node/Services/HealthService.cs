using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;

namespace Blixard.Node.Services;

/// <summary>Tells whether the node serves: a node that answers does.</summary>
internal sealed class HealthService(Func<IEnumerable<string>> serviceNames)
{
    public RpcService Bind() => new RpcService(HealthReflection.Descriptor, "Health")
        .Unary(HealthMethods.Check, CheckAsync)
        .ServerStreaming(HealthMethods.Watch, (request, context) => WatchAsync(request, context.CancellationToken));

    private Task<HealthCheckResponse> CheckAsync(HealthCheckRequest request, RpcContext context) => IsKnown(request.Service)
        ? Task.FromResult(new HealthCheckResponse { Status = ServingStatus.Serving })
        : throw new RpcException(RpcStatusCode.NotFound, "there is no such service");

    // Services do not come and go while the node runs: one answer, which stays true until the connection ends.
    private async IAsyncEnumerable<HealthCheckResponse> WatchAsync(
        HealthCheckRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new HealthCheckResponse
        {
            Status = IsKnown(request.Service)
                ? ServingStatus.Serving
                : ServingStatus.ServiceUnknown,
        };
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
    }

    private bool IsKnown(string service) => service.Length == 0 || serviceNames().Contains(service);
}
