using System.IO.Pipelines;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server.Clients;
using Iroh.Relay.Server.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Iroh.Relay.Server.Hosting;

/// <summary>A relay's endpoints for an ASP.NET Core app (iroh-relay server.rs and server/http_server.rs).</summary>
public static class RelayRoutes
{
    /// <summary>Where clients connect.</summary>
    public const string RelayPath = "/relay";

    private const string Page = """
        <!DOCTYPE html><html><head><title>Relay</title></head><body>
        <h1>Relay</h1><p>This is a relay for <a href="https://www.iroh.computer">iroh</a> endpoints.</p></body></html>

        """;

    /// <summary>
    /// Maps <c>/relay</c>, <c>/ping</c>, <c>/healthz</c>, <c>/robots.txt</c>, <c>/generate_204</c> and a page about it all at <c>/</c>.
    /// The web server has to let connections live as long as they like, and to speak HTTP/1.1.
    /// </summary>
    /// <param name="routes">The app.</param>
    /// <param name="relay">The relay; whoever made it disposes it.</param>
    public static IEndpointRouteBuilder MapRelay(this IEndpointRouteBuilder routes, RelayService relay)
    {
        ArgumentNullException.ThrowIfNull(routes);
        ArgumentNullException.ThrowIfNull(relay);
        routes.MapGet(RelayPath, context => ServeAsync(context, relay));
        routes.MapGet("/ping", static context =>
        {
            // Browsers measure the way here, too.
            context.Response.Headers.AccessControlAllowOrigin = "*";
            return Task.CompletedTask;
        });
        routes.MapGet("/healthz", context => WriteHealthAsync(context, relay));
        routes.MapGet("/robots.txt", static context => WriteAsync(context, "text/plain", "User-agent: *\nDisallow: /\n"));
        routes.MapGet("/", static context => WriteAsync(context, "text/html; charset=utf-8", Page));
        routes.MapGet("/index.html", static context => WriteAsync(context, "text/html; charset=utf-8", Page));
        return routes.MapCaptivePortalCheck();
    }

    /// <summary>
    /// Maps <c>/generate_204</c>, by which clients tell whether a captive portal answers in this server's place. They ask for it over
    /// plain HTTP on port 80, also when the relay is served over HTTPS.
    /// </summary>
    /// <param name="routes">The app.</param>
    public static IEndpointRouteBuilder MapCaptivePortalCheck(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        routes.MapGet("/generate_204", static context =>
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            if (context.Request.Headers[CaptivePortalChallenge.RequestHeader] is [{ } challenge] && CaptivePortalChallenge.IsValid(challenge))
                context.Response.Headers[CaptivePortalChallenge.ResponseHeader] = CaptivePortalChallenge.Answer(challenge);
            return Task.CompletedTask;
        });
        return routes;
    }

    /// <summary>
    /// Puts the security headers on every answer that iroh's relay puts there: Strict-Transport-Security (which counts over HTTPS only) and
    /// Content-Security-Policy. To be called before the routes are matched.
    /// </summary>
    /// <param name="app">The app.</param>
    public static IApplicationBuilder UseRelayHeaders(this IApplicationBuilder app) => app.Use(static (context, next) =>
    {
        context.Response.Headers.StrictTransportSecurity = "max-age=63072000; includeSubDomains";
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        return next(context);
    });

    private static async Task ServeAsync(HttpContext context, RelayService relay)
    {
        IHttpUpgradeFeature? upgrade = context.Features.Get<IHttpUpgradeFeature>();
        string? problem = UpgradeRequest.Check(context.Request.Headers, out RelayVersion version)
            ?? (upgrade is { IsUpgradableRequest: true } ? null : "The request cannot be upgraded: it takes HTTP/1.1 and 'Connection: Upgrade'.\n");
        IDuplexPipe? pipe = context.Features.Get<IConnectionTransportFeature>()?.Transport;
        if (problem is null && pipe is not null && HasBytes(pipe.Input))
            problem = "Something was sent before the answer to the upgrade.\n";
        if (problem is not null)
        {
            if (context.Request.Headers.SecWebSocketVersion is not [UpgradeRequest.WebSocketVersion])
                context.Response.Headers.SecWebSocketVersion = UpgradeRequest.WebSocketVersion;
            await RefuseAsync(context, StatusCodes.Status400BadRequest, problem).ConfigureAwait(false);
            return;
        }

        if (!relay.TryOpen())
        {
            context.Response.Headers.RetryAfter = "5";
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, relay.IsDraining ? "The relay restarts.\n" : "The relay is full.\n").ConfigureAwait(false);
            return;
        }

        try
        {
            context.Response.Headers.Upgrade = "websocket";
            context.Response.Headers.SecWebSocketAccept = UpgradeRequest.Accept(context.Request.Headers.SecWebSocketKey.ToString());
            context.Response.Headers.SecWebSocketProtocol = version.ToSubprotocol();
            Stream stream = await upgrade!.UpgradeAsync().ConfigureAwait(false);
            // Kestrel's own pipes spare the copies that a stream makes; other servers have the stream only.
            await RunAsync(context, relay, pipe ?? new StreamPipe(stream), version).ConfigureAwait(false);
        }
        finally
        {
            relay.Release();
        }
    }

    private static async Task RunAsync(HttpContext context, RelayService relay, IDuplexPipe pipe, RelayVersion version)
    {
        var breaker = new RequestBreaker(context);
        try
        {
            await relay.ServeAsync(
                new RelayTransport(pipe, breaker.Break, context.RequestAborted), version, UpgradeRequest.Token(context.Request), context.Connection.RemoteIpAddress)
                .ConfigureAwait(false);
        }
        finally
        {
            breaker.Retire();
        }
    }

    private static bool HasBytes(PipeReader input)
    {
        if (!input.TryRead(out ReadResult result))
            return false;
        bool hasBytes = !result.Buffer.IsEmpty;
        input.AdvanceTo(result.Buffer.Start);
        return hasBytes;
    }

    private static Task RefuseAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        return WriteAsync(context, "text/plain; charset=utf-8", text);
    }

    private static Task WriteHealthAsync(HttpContext context, RelayService relay)
    {
        string version = typeof(RelayRoutes).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
        string[] parts = version.Split('+', 2);
        if (relay.IsDraining)
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        var health = new JsonObject
        {
            ["status"] = relay.IsDraining ? "restarting" : "ok",
            ["version"] = parts[0],
            ["git_hash"] = parts.Length > 1 ? parts[1] : "unknown",
        };
        return WriteAsync(context, "application/json", health.ToJsonString());
    }

    private static Task WriteAsync(HttpContext context, string type, string text)
    {
        context.Response.ContentType = type;
        context.Response.ContentLength = Encoding.UTF8.GetByteCount(text);
        return context.Response.WriteAsync(text, context.RequestAborted);
    }

    private sealed class StreamPipe(Stream stream) : IDuplexPipe
    {
        public PipeReader Input { get; } = PipeReader.Create(stream);

        public PipeWriter Output { get; } = PipeWriter.Create(stream);
    }
}
