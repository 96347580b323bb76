using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Blixard.Rpc.Hosting;

/// <summary>Kestrel and nothing else: no configuration is read, and it lives until its owner disposes it.</summary>
public sealed class OwnedWebServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OwnedWebServer(WebApplication app) => _app = app;

    /// <summary>Binds and serves.</summary>
    /// <param name="configure">Where, and within which limits.</param>
    /// <param name="answer">Answers each request.</param>
    /// <param name="loggers">Gets Kestrel's messages.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="IOException">An address is in use or cannot be bound.</exception>
    public static async Task<OwnedWebServer> StartAsync(
        Action<KestrelServerOptions> configure, RequestDelegate answer, ILoggerFactory loggers, CancellationToken cancellationToken = default)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        // Signals are the business of whoever owns this server: the usual lifetime would end it behind the owner's back.
        builder.Services.AddSingleton<IHostLifetime, OwnedLifetime>();
        builder.WebHost.UseKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            configure(kestrel);
        });
        WebApplication app = builder.Build();
        app.Run(answer);
        try
        {
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception)
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        return new OwnedWebServer(app);
    }

    /// <summary>What an address became whose port was left open.</summary>
    /// <param name="wanted">The only TCP address that the server was told to bind.</param>
    public IPEndPoint Bound(IPEndPoint wanted)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        ICollection<string> addresses = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        string tcp = addresses.First(static address => !address.StartsWith("http://unix:", StringComparison.Ordinal));
        return new IPEndPoint(wanted.Address, new Uri(tcp).Port);
    }

    /// <summary>Gives running requests up and closes all connections.</summary>
    public async ValueTask DisposeAsync()
    {
        // A stop with a token that has fired does not wait for requests that never end by themselves, such as watches.
        await _app.StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    private sealed class OwnedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
