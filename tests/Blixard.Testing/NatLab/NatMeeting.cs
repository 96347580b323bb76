using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>What came of two endpoints that met behind their NATs.</summary>
/// <param name="Listener">What the accepting end was behind.</param>
/// <param name="Dialler">What the dialling end was behind.</param>
/// <param name="IsDirect">Whether both ends used a direct path at last.</param>
/// <param name="ToDirect">From the first relayed path in use to the first direct one, as the accepting end saw it; null if there was no direct one. Zero if nothing was relayed.</param>
/// <param name="RelayBytes">What the relay's machine received by TCP meanwhile, with all headers.</param>
/// <param name="Problem">What the application met with; null if every ping was answered.</param>
public sealed record NatOutcome(NatKind Listener, NatKind Dialler, bool IsDirect, TimeSpan? ToDirect, long RelayBytes, string? Problem);

/// <summary>
/// A relay and a STUN server on a lab's server, and a listening endpoint that others meet: <c>relay serve</c>, <c>net listen</c> and
/// <c>net ping</c> as processes. One owner.
/// </summary>
public sealed class NatMeeting : IAsyncDisposable
{
    /// <summary>Where the relay serves.</summary>
    public const int RelayPort = 3340;

    private const string Protocol = "natlab/1";

    // The last pairs get their direct path within 3 s; who has none after this is called relayed.
    private static readonly TimeSpan s_directLimit = TimeSpan.FromSeconds(8);

    private readonly InternetLab _lab;
    private readonly string _program;
    private readonly LabStunServer _stun;
    private LabProgram _relay;
    private LabProgram? _listener;
    private NatKind _listenerKind;
    private string _ticket = "";

    private NatMeeting(InternetLab lab, string program, LabStunServer stun, LabProgram relay) =>
        (_lab, _program, _stun, _relay) = (lab, program, stun, relay);

    /// <summary>The relay's URL, by the server's name: it holds for hosts of either family.</summary>
    public static string RelayUrl { get; } = string.Create(CultureInfo.InvariantCulture, $"http://{InternetLab.ServerName}:{RelayPort}");

    /// <summary>
    /// How endpoints are told of the servers. What the gateways are behind is not asked for a port: none would give one.
    /// </summary>
    public static IReadOnlyList<string> EndpointOptions { get; } =
    [
        "--relay", RelayUrl, "--no-port-mapping",
        "--stun", string.Create(CultureInfo.InvariantCulture, $"{InternetLab.ServerName}:{LabStunServer.Port}"),
        "--stun", string.Create(CultureInfo.InvariantCulture, $"{InternetLab.SecondServerName}:{LabStunServer.Port}"),
    ];

    /// <summary>The listening endpoint; it was started.</summary>
    public LabProgram Listener => _listener ?? throw new LabException("no endpoint listens");

    /// <summary>Starts the servers.</summary>
    /// <param name="lab">The lab; it is not owned.</param>
    /// <param name="program">The path of blixard.dll.</param>
    public static async Task<NatMeeting> StartAsync(InternetLab lab, string program)
    {
        LabProgram relay = ServeRelay(lab, program);
        try
        {
            await relay.UntilEventAsync("listening").ConfigureAwait(false);
            return new NatMeeting(lab, program, await LabStunServer.StartAsync(lab).ConfigureAwait(false), relay);
        }
        catch
        {
            await relay.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Starts an endpoint that accepts, in place of the one before.</summary>
    public async Task ListenAsync(LabHost host, NatKind kind)
    {
        if (_listener is not null)
            await _listener.DisposeAsync().ConfigureAwait(false);
        _listenerKind = kind;
        _listener = LabProgram.Start(_lab, host, _program, ["net", "listen", "--alpn", Protocol, "--echo", .. EndpointOptions]);
        _ticket = (await _listener.UntilEventAsync("listening").ConfigureAwait(false))["ticket"]!.GetValue<string>();
    }

    /// <summary>Meets the listening endpoint from a host, until both ends use a direct path or it is clear that they will not.</summary>
    public async Task<NatOutcome> MeetAsync(LabHost host, NatKind kind)
    {
        long bytes = await _lab.CountServerBytesAsync().ConfigureAwait(false);
        long start = Stopwatch.GetTimestamp();
        await using LabProgram dialler = LabProgram.Start(_lab, host, _program, ["net", "ping", _ticket, .. EndpointOptions]);
        LabEvent? first = await dialler.TryUntilAsync(IsPing, LabNode.Patience).ConfigureAwait(false);
        LabEvent? direct = null;
        string? problem = null;
        if (first is null)
            problem = $"no ping was answered\n{dialler.Tail}\n{Listener.Tail}";
        else
            direct = await Listener.TryUntilAsync(seen => seen.At > start && IsPath(seen, "direct"), s_directLimit).ConfigureAwait(false);
        if (direct is not null && await dialler.TryUntilAsync(seen => IsPing(seen) && IsPath(seen, "direct"), LabNode.Patience).ConfigureAwait(false) is null)
            problem = $"no ping was answered on the direct path\n{dialler.Tail}\n{Listener.Tail}";
        LabEvent? relayed = Listener.Events.FirstOrDefault(seen => seen.At > start && IsPath(seen, "relay"));
        await dialler.StopAsync().ConfigureAwait(false);
        TimeSpan? toDirect = direct is null ? null
            : relayed is null || relayed.At > direct.At ? TimeSpan.Zero
            : Stopwatch.GetElapsedTime(relayed.At, direct.At);
        return new NatOutcome(
            _listenerKind, kind, direct is not null, toDirect, await _lab.CountServerBytesAsync().ConfigureAwait(false) - bytes, problem);
    }

    /// <summary>Dials the listening endpoint from a host and sends a file, which comes back.</summary>
    public LabProgram SendFile(LabHost host, string file) => LabProgram.Start(
        _lab, host, _program, ["net", "connect", _ticket, "--alpn", Protocol, "--send", file, .. EndpointOptions]);

    /// <summary>Kills the relay by SIGKILL.</summary>
    public Task KillRelayAsync() => _relay.KillAsync();

    /// <summary>Starts the relay again after it was killed.</summary>
    public async Task RestartRelayAsync()
    {
        await _relay.DisposeAsync().ConfigureAwait(false);
        _relay = ServeRelay(_lab, _program);
        await _relay.UntilEventAsync("listening").ConfigureAwait(false);
    }

    /// <summary>Whether something printed tells of a path of this kind in use.</summary>
    public static bool IsPath(LabEvent seen, string kind) => seen.Item["path"] is JsonObject path && path["kind"]?.GetValue<string>() == kind;

    /// <summary>Ends the processes. The lab stays.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_listener is not null)
            await _listener.DisposeAsync().ConfigureAwait(false);
        await _relay.DisposeAsync().ConfigureAwait(false);
        await _stun.DisposeAsync().ConfigureAwait(false);
    }

    private static bool IsPing(LabEvent seen) => seen.Item.ContainsKey("seq");

    private static LabProgram ServeRelay(InternetLab lab, string program) => LabProgram.Start(
        lab, lab.Server, program, ["relay", "serve", "--http", string.Create(CultureInfo.InvariantCulture, $"[::]:{RelayPort}")]);
}
