using System.Net;
using Blixard.Rpc.Hosting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Metrics;

/// <summary>
/// The pages that a node shows over plain HTTP when <c>--http</c> says so: <c>/metrics</c> for a collector and <c>/healthz</c>
/// for whoever restarts or routes. They tell numbers and names, change nothing and ask nobody who they are: bind them where the
/// collector is.
/// </summary>
internal sealed class HttpPages : IAsyncDisposable
{
    // Collectors and probes: a handful. More is a mistake or an attack, and must not cost the node its memory.
    private const long ConnectionsMax = 64;

    private readonly OwnedWebServer _server;

    private HttpPages(OwnedWebServer server, IPEndPoint address) => (_server, Address) = (server, address);

    /// <summary>Where the pages are.</summary>
    public IPEndPoint Address { get; }

    /// <summary>Binds and serves.</summary>
    /// <param name="address">Where; port 0 = any free one.</param>
    /// <param name="metrics">The text of <c>/metrics</c>.</param>
    /// <param name="trouble">What keeps the node from serving its cluster, in one sentence; "" if nothing does.</param>
    /// <param name="loggers">Gets Kestrel's messages.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="NodeStartException">The address cannot be bound.</exception>
    public static async Task<HttpPages> StartAsync(
        IPEndPoint address, Func<CancellationToken, Task<string>> metrics, Func<string> trouble, ILoggerFactory loggers,
        CancellationToken cancellationToken)
    {
        void Configure(KestrelServerOptions kestrel)
        {
            kestrel.Limits.MaxConcurrentConnections = ConnectionsMax;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Listen(address);
        }

        try
        {
            OwnedWebServer server = await OwnedWebServer.StartAsync(
                Configure, context => AnswerAsync(context, metrics, trouble), loggers, cancellationToken).ConfigureAwait(false);
            return new HttpPages(server, server.Bound(address));
        }
        catch (IOException e)
        {
            string why = e.InnerException is AddressInUseException
                ? "another program uses the port. Choose another with --http, or port 0 for any free one."
                : e.Message;
            throw new NodeStartException(NodeStartFailure.Failed, $"Metrics cannot be served at {address}: {why}", e);
        }
    }

    /// <summary>Closes all connections.</summary>
    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private static async Task AnswerAsync(HttpContext context, Func<CancellationToken, Task<string>> metrics, Func<string> trouble)
    {
        (int status, string type, string text) = await PageAsync(context.Request, metrics, trouble, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.Headers.CacheControl = "no-store";
        if (!HttpMethods.IsHead(context.Request.Method))
            await context.Response.WriteAsync(text, context.RequestAborted).ConfigureAwait(false);
    }

    private static async Task<(int Status, string Type, string Text)> PageAsync(
        HttpRequest request, Func<CancellationToken, Task<string>> metrics, Func<string> trouble, CancellationToken cancellationToken)
    {
        const string Plain = "text/plain; charset=utf-8";
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
            return (StatusCodes.Status405MethodNotAllowed, Plain, "Only GET and HEAD.\n");
        switch (request.Path.Value)
        {
            case "/metrics":
                return (StatusCodes.Status200OK, MetricsText.ContentType, await metrics(cancellationToken).ConfigureAwait(false));
            case "/healthz":
                string reason = trouble();
                return reason.Length == 0
                    ? (StatusCodes.Status200OK, Plain, "ok\n")
                    : (StatusCodes.Status503ServiceUnavailable, Plain, reason + "\n");
            default:
                return (StatusCodes.Status404NotFound, Plain, "There are /metrics and /healthz.\n");
        }
    }
}
