using System.CommandLine;
using System.Net;
using Iroh;
using Iroh.Base;

namespace Blixard.Cli.Net;

/// <summary>The options of commands that bind an endpoint.</summary>
internal sealed class EndpointOptions
{
    private readonly Option<string?> _key = new("--key")
    {
        Description = "File with the secret key, created (mode 0600) if absent. Without it the endpoint gets a new random key.",
        HelpName = "FILE",
    };

    private readonly Option<string[]> _bind = new("--bind")
    {
        Description = "UDP address to bind, one for each family; port 0 is any free one. Default: all addresses.",
        HelpName = "IP:PORT",
    };

    private readonly RelayOptions _relays = new();

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_key);
        command.Options.Add(_bind);
        _relays.AddTo(command);
    }

    /// <summary>Binds the endpoint that the options describe.</summary>
    public Task<IrohEndpoint> BindAsync(ParseResult result, IReadOnlyList<string> protocols, CancellationToken cancellationToken)
    {
        string[] bind = result.GetValue(_bind) ?? [];
        return IrohEndpoint.BindAsync(
            new IrohEndpointOptions
            {
                SecretKey = result.GetValue(_key) is { } path ? SecretKeyFile.LoadOrCreate(path) : SecretKey.Generate(),
                BindAddresses = bind.Length > 0 ? [.. bind.Select(ParseAddress)] : null,
                ApplicationProtocols = protocols,
                Relays = _relays.Relays(result),
                UseRelays = _relays.UseRelays(result),
                StunServers = _relays.StunServers(result),
                MapPorts = _relays.MapPorts(result),
            },
            cancellationToken);
    }

    /// <summary>Reads a ticket argument.</summary>
    public static EndpointAddress ParseTicket(string text) => EndpointTicket.TryParse(text, out EndpointTicket? ticket, out string? problem)
        ? ticket.Address
        : throw new CommandException(ExitCode.Usage, problem);

    private static IPEndPoint ParseAddress(string text) => IPEndPoint.TryParse(text, out IPEndPoint? address)
        ? address
        : throw new CommandException(ExitCode.Usage, $"'{text}' is not an address to bind: expected IP:PORT, such as 0.0.0.0:4433 or [::]:0.");
}
