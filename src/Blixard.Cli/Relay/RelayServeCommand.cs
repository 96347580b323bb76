using System.CommandLine;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Blixard.Cli.Output;
using Iroh.Relay.Server;
using Iroh.Relay.Server.AddressDiscovery;
using Iroh.Relay.Server.Names;
using Microsoft.Extensions.Logging;

namespace Blixard.Cli.Relay;

/// <summary><c>relay serve</c>: runs a relay until it is told to stop, then sends its clients away in order.</summary>
internal static class RelayServeCommand
{
    private static readonly Option<string?> s_http = new("--http")
    {
        Description = "Where plain HTTP is served, such as 0.0.0.0:80; port 0 is any free one. With --https only the check for captive portals is.",
        HelpName = "IP:PORT",
    };

    private static readonly Option<string?> s_https = new("--https") { Description = "Where HTTPS is served, such as 0.0.0.0:443.", HelpName = "IP:PORT" };

    private static readonly Option<string?> s_certificate = new("--cert")
    {
        Description = "The certificate for HTTPS, with those between it and its root, in PEM. Read again when it changes.",
        HelpName = "FILE",
    };

    private static readonly Option<string?> s_key = new("--key") { Description = "The certificate's private key in PEM. Read again when it changes.", HelpName = "FILE" };

    private static readonly Option<string[]> s_access = new("--access")
    {
        Description = AccessOption.Description,
        HelpName = "RULE",
    };

    private static readonly Option<string?> s_rate = new("--rate")
    {
        Description = "How many bytes each client may send in a second, such as 512K or 10M; after a colon, how many at once. Default: no limit.",
        HelpName = "BYTES[:BURST]",
    };

    private static readonly Option<int?> s_connections = new("--max-connections") { Description = "How many connections there may be. Default: 100000.", HelpName = "N" };

    private static readonly Option<string[]> s_discovery = new("--qad")
    {
        Description = "UDP address where endpoints learn their public address (QUIC address discovery), one for each family. Clients expect port 7842. Needs --cert and --key.",
        HelpName = "IP:PORT",
    };

    private static readonly Option<string?> s_metrics = new("--metrics")
    {
        Description = "Where /metrics is shown over plain HTTP, to whoever asks. Default: nowhere.",
        HelpName = "IP:PORT",
    };

    private static readonly Option<bool> s_verbose = new("--verbose") { Description = "Log on stderr who comes and goes, not only what goes wrong." };

    public static Command Create()
    {
        var command = new Command("serve", "Serve a relay until stopped; on Ctrl-C or SIGTERM, clients are sent away over a few seconds.");
        foreach (Option option in new Option[] { s_http, s_https, s_certificate, s_key, s_access, s_rate, s_connections, s_discovery, s_metrics, s_verbose })
            command.Options.Add(option);
        NameOptions.AddTo(command);
        CommandRunner.Handle(command, RunAsync);
        return command;
    }

    private static async Task<ExitCode> RunAsync(ParseResult result, CommandOutput output, CancellationToken cancellationToken)
    {
        using ILoggerFactory loggers = CreateLoggers(result.GetValue(s_verbose));
        RelayServerOptions options = Read(result, loggers);
        AddressDiscoveryOptions? discoveryOptions = ReadDiscovery(result, loggers);
        NameServerOptions? nameOptions = NameOptions.Read(result, loggers);
        NameServer? names = null;
        AddressDiscoveryServer? discovery = null;
        RelayServer? server = null;
        try
        {
            if (nameOptions is not null)
            {
                NameServer started = names = await NameServer.StartAsync(nameOptions, cancellationToken).ConfigureAwait(false);
                options = options with { Routes = routes => routes.MapNameServer(started) };
            }

            if (discoveryOptions is not null)
                discovery = await AddressDiscoveryServer.StartAsync(discoveryOptions, cancellationToken).ConfigureAwait(false);
            server = await RelayServer.StartAsync(options, cancellationToken).ConfigureAwait(false);
            Announce(server, discovery, names, output);
            await RunUntilStoppedAsync(server, output, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is RelayServerException or NameServerException)
        {
            throw new CommandException(ExitCode.Failed, exception.Message, exception);
        }
        finally
        {
            foreach (IAsyncDisposable? part in new IAsyncDisposable?[] { server, discovery, names })
            {
                if (part is not null)
                    await part.DisposeAsync().ConfigureAwait(false);
            }
        }

        return ExitCode.Done;
    }

    private static async Task RunUntilStoppedAsync(RelayServer server, CommandOutput output, CancellationToken cancellationToken)
    {
        try
        {
            await CollectInQuietMomentsAsync(server.Relay, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C or SIGTERM: the usual end.
        }

        int clients = server.Relay.ClientCount;
        output.Write(new JsonObject { ["event"] = "stopping", ["clients"] = clients }, $"stopping: sending {clients} clients away");
        await server.StopAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private static async Task CollectInQuietMomentsAsync(RelayService relay, CancellationToken cancellationToken)
    {
        var moment = new QuietMoment();
        using var timer = new PeriodicTimer(QuietMoment.Interval);
        long before = Stopwatch.GetTimestamp();
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
        {
            long now = Stopwatch.GetTimestamp();
            TimeSpan elapsed = Stopwatch.GetElapsedTime(before, now);
            before = now;
            if (moment.IsNow(relay.ClientCount, Environment.CpuUsage.TotalTime, elapsed, GC.GetTotalMemory(forceFullCollection: false)))
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }
    }

    private static RelayServerOptions Read(ParseResult result, ILoggerFactory loggers)
    {
        if (result.GetValue(s_http) is null && result.GetValue(s_https) is null)
            throw new CommandException(ExitCode.Usage, "where should the relay listen? Give --http IP:PORT, --https IP:PORT with --cert and --key, or both.");
        bool hasCertificate = result.GetValue(s_certificate) is not null && result.GetValue(s_key) is not null;
        if (result.GetValue(s_https) is not null && !hasCertificate)
            throw new CommandException(ExitCode.Usage, "--https needs --cert FILE and --key FILE.");
        if (result.GetValue(s_discovery) is { Length: > 0 } && !hasCertificate)
            throw new CommandException(ExitCode.Usage, "--qad needs --cert FILE and --key FILE.");
        if (result.GetValue(s_https) is null && result.GetValue(s_discovery) is not { Length: > 0 } && (result.GetValue(s_certificate) ?? result.GetValue(s_key)) is not null)
            throw new CommandException(ExitCode.Usage, "--cert and --key are for --https IP:PORT or --qad IP:PORT, which are missing.");
        if (result.GetValue(s_connections) is < 1)
            throw new CommandException(ExitCode.Usage, "--max-connections takes a number of at least 1.");
        var relay = new RelayOptions
        {
            Access = AccessOption.Parse(result.GetValue(s_access) ?? [], Environment.GetEnvironmentVariable, problem => Console.Error.WriteLine($"error: {problem}")),
            ReceiveLimit = result.GetValue(s_rate) is { } rate ? RateOption.Parse(rate) : null,
            Loggers = loggers,
        };
        return new RelayServerOptions
        {
            Http = ParseAddress("--http", result.GetValue(s_http)),
            Https = ParseAddress("--https", result.GetValue(s_https)),
            CertificateFile = result.GetValue(s_https) is null ? null : result.GetValue(s_certificate),
            KeyFile = result.GetValue(s_https) is null ? null : result.GetValue(s_key),
            Metrics = ParseAddress("--metrics", result.GetValue(s_metrics)),
            Relay = result.GetValue(s_connections) is { } connections ? relay with { ConnectionsMax = connections } : relay,
        };
    }

    private static AddressDiscoveryOptions? ReadDiscovery(ParseResult result, ILoggerFactory loggers) =>
        result.GetValue(s_discovery) is not { Length: > 0 } addresses ? null : new AddressDiscoveryOptions
        {
            Bind = [.. addresses.Select(text => ParseAddress("--qad", text)!)],
            CertificateFile = result.GetValue(s_certificate)!,
            KeyFile = result.GetValue(s_key)!,
            Loggers = loggers,
        };

    private static void Announce(RelayServer server, AddressDiscoveryServer? discovery, NameServer? names, CommandOutput output)
    {
        var json = new JsonObject
        {
            ["event"] = "listening",
            ["url"] = server.Url.ToString(),
            ["http"] = server.Http?.ToString(),
            ["https"] = server.Https?.ToString(),
            ["metrics"] = server.Metrics is { } shown ? $"http://{shown}/metrics" : null,
            ["qad"] = new JsonArray([.. discovery?.LocalEndPoints.Select(address => JsonValue.Create(address.ToString())) ?? []]),
            ["dns"] = new JsonArray([.. names?.DnsEndPoints.Select(address => JsonValue.Create(address.ToString())) ?? []]),
        };
        string text = $"relay at {server.Url}";
        if (server.Https is not null && server.Http is { } portal)
            text += $"\n  captive portal check at http://{portal}/generate_204";
        if (discovery is not null)
            text += $"\n  address discovery at {string.Join(", ", discovery.LocalEndPoints)} (UDP)";
        if (names is not null)
            text += $"\n  names at {string.Join(", ", names.DnsEndPoints)} (UDP and TCP), {server.Url}dns-query and {server.Url}pkarr";
        if (server.Metrics is { } metrics)
            text += $"\n  metrics at http://{metrics}/metrics";
        output.Write(json, text);
    }

    internal static IPEndPoint? ParseAddress(string option, string? text) => text is null ? null
        : IPEndPoint.TryParse(text, out IPEndPoint? address) && text.Contains(':', StringComparison.Ordinal)
            ? address
            : throw new CommandException(ExitCode.Usage, $"{option} takes IP:PORT, such as 0.0.0.0:8080; '{text}' is not one.");

    private static ILoggerFactory CreateLoggers(bool isVerbose) => LoggerFactory.Create(logging => logging
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
            console.UseUtcTimestamp = true;
        })
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
        .AddFilter("", isVerbose ? LogLevel.Debug : LogLevel.Warning)
        .AddFilter("Microsoft", LogLevel.Warning)
        // What it would log with its whole stack is thrown as well, and ends up as one sentence.
        .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None));
}
