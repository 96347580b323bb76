using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server.Hosting;

/// <summary>Kestrel with routes and nothing else: no configuration is read, signals are its owner's business.</summary>
internal sealed class OwnedWebServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OwnedWebServer(WebApplication app) => _app = app;

    /// <summary>Binds one address and serves.</summary>
    /// <param name="configure">Where, and within which limits.</param>
    /// <param name="map">What; everything else is answered by 404.</param>
    /// <param name="loggers">Gets Kestrel's messages.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="IOException">The address is in use or cannot be bound.</exception>
    public static async Task<OwnedWebServer> StartAsync(
        Action<KestrelServerOptions> configure, Action<IEndpointRouteBuilder> map, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, OwnedLifetime>();
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            configure(kestrel);
        });
        WebApplication app = builder.Build();
        app.UseRelayHeaders();
        app.UseRouting();
        map(app);
        app.Use(static (HttpContext context, RequestDelegate next) => context.GetEndpoint() is null ? NotFoundAsync(context) : next(context));
        try
        {
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            return new OwnedWebServer(app);
        }
        catch (Exception)
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>What the address became if its port was left open.</summary>
    public IPEndPoint Bound(IPEndPoint wanted)
    {
        ICollection<string> addresses = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        return new IPEndPoint(wanted.Address, new Uri(addresses.First()).Port);
    }

    /// <summary>Stops listening, then waits until all connections have ended; breaks them off when the token fires.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _app.StopAsync(cancellationToken);

    /// <summary>Breaks all connections off.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    private static Task NotFoundAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return context.Response.WriteAsync("Not Found", context.RequestAborted);
    }

    private sealed class OwnedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
