using System.CommandLine;
using Iroh;
using Iroh.NetReport;

namespace Blixard.Cli.Net;

/// <summary>The options that say how others are found beyond the own addresses: relays, STUN servers, the gateway.</summary>
internal sealed class RelayOptions
{
    /// <summary>Holds the access token of the relays, so that it does not stand in the list of processes.</summary>
    public const string TokenVariable = "BLIXARD_RELAY_TOKEN";

    private readonly Option<string[]> _relay = new("--relay")
    {
        Description = "A relay to be found at; of several the nearest is taken. Behind the URL may stand ',qad=PORT' for the UDP port of its "
            + "address discovery (default: 7842 for https, none for http) or ',qad=off'. Its access token is read from " + TokenVariable + ".",
        HelpName = "URL",
    };

    private readonly Option<bool> _noRelay = new("--no-relay") { Description = "Use direct addresses only, also to peers that name a relay." };
    private readonly Option<string[]> _stun = new("--stun") { Description = "A STUN server to learn the public address from.", HelpName = "HOST:PORT" };
    private readonly Option<bool> _noPortMapping = new("--no-port-mapping") { Description = "Do not ask the gateway to forward a port." };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_relay);
        command.Options.Add(_noRelay);
        command.Options.Add(_stun);
        command.Options.Add(_noPortMapping);
        command.Validators.Add(result =>
        {
            if (result.GetValue(_noRelay) && result.GetValue(_relay) is { Length: > 0 })
                result.AddError("--relay and --no-relay exclude each other.");
        });
    }

    /// <summary>The relays named, none if there are none.</summary>
    public IReadOnlyList<RelayConfiguration> Relays(ParseResult result) => [.. (result.GetValue(_relay) ?? []).Select(ParseRelay)];

    /// <summary>The STUN servers named, none if there are none.</summary>
    public IReadOnlyList<StunServer> StunServers(ParseResult result) => [.. (result.GetValue(_stun) ?? []).Select(ParseStun)];

    /// <summary>Whether relays may be used.</summary>
    public bool UseRelays(ParseResult result) => !result.GetValue(_noRelay);

    /// <summary>Whether the gateway may be asked for a port.</summary>
    public bool MapPorts(ParseResult result) => !result.GetValue(_noPortMapping);

    private static RelayConfiguration ParseRelay(string text) => RelayConfiguration.TryParse(text, out RelayConfiguration? relay, out string? problem)
        ? relay with { Token = Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } token ? token : null }
        : throw new CommandException(ExitCode.Usage, $"--relay: {problem}");

    private static StunServer ParseStun(string text) => StunServer.TryParse(text, out StunServer? server)
        ? server
        : throw new CommandException(ExitCode.Usage, $"--stun takes HOST:PORT, such as stun.example.com:3478; '{text}' is not one.");
}
