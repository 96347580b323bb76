using System.CommandLine;
using System.Net;
using Blixard.Node.Configuration;
using Iroh;
using Iroh.Base;
using Iroh.Lookup;

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
    private readonly LookupOptions _lookups = new();

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_key);
        command.Options.Add(_bind);
        _relays.AddTo(command);
        _lookups.AddTo(command);
    }

    /// <summary>Binds the endpoint that the options describe.</summary>
    public async Task<IrohEndpoint> BindAsync(ParseResult result, IReadOnlyList<string> protocols, CancellationToken cancellationToken)
    {
        string[] bind = result.GetValue(_bind) ?? [];
        SecretKey key = result.GetValue(_key) is { } path ? SecretKeyFile.LoadOrCreate(path) : SecretKey.Generate();
        IReadOnlyList<RelayConfiguration> relays = _relays.Relays(result);
        IReadOnlyList<IAddressLookup> lookups = CreateLookups(ReadLookups(result), key, relays.Count > 0);
        try
        {
            return await IrohEndpoint.BindAsync(
                new IrohEndpointOptions
                {
                    SecretKey = key,
                    BindAddresses = bind.Length > 0 ? [.. bind.Select(ParseAddress)] : null,
                    ApplicationProtocols = protocols,
                    Relays = relays,
                    UseRelays = _relays.UseRelays(result),
                    StunServers = _relays.StunServers(result),
                    MapPorts = _relays.MapPorts(result),
                    AddressLookups = lookups,
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            // They belong to the endpoint once there is one.
            await new LookupSet(lookups).DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Reads an argument that says whom to dial: a ticket, or a bare id where a look-up service can find it.</summary>
    public EndpointAddress ParsePeer(ParseResult result, string text)
    {
        if (!EndpointId.TryParse(text, out EndpointId id))
            return ParseTicket(text);
        return ReadLookups(result).CanResolve
            ? new EndpointAddress(id)
            : throw new CommandException(
                ExitCode.Usage,
                $"The endpoint id {id.ToShortString()} alone does not tell where the endpoint is. Name a look-up service that knows it (--mdns, --dns or --pkarr), or give its ticket.");
    }

    private static EndpointAddress ParseTicket(string text) => EndpointTicket.TryParse(text, out EndpointTicket? ticket, out string? problem)
        ? ticket.Address
        : throw new CommandException(ExitCode.Usage, problem);

    private static IReadOnlyList<IAddressLookup> CreateLookups(LookupConfiguration configuration, SecretKey key, bool hasRelay)
    {
        try
        {
            return configuration.Create(key, hasRelay);
        }
        catch (MulticastUnavailableException exception)
        {
            throw new CommandException(ExitCode.Failed, exception.Message, exception);
        }
    }

    private LookupConfiguration ReadLookups(ParseResult result) =>
        _lookups.Read(result, NodeEnvironment.ReadLookups(LookupConfiguration.None, Environment.GetEnvironmentVariable));

    private static IPEndPoint ParseAddress(string text) => IPEndPoint.TryParse(text, out IPEndPoint? address)
        ? address
        : throw new CommandException(ExitCode.Usage, $"'{text}' is not an address to bind: expected IP:PORT, such as 0.0.0.0:4433 or [::]:0.");
}
