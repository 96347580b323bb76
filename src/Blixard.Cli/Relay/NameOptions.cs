using System.CommandLine;
using System.Net;
using Iroh.Dns.Messages;
using Iroh.Dns.Zones;
using Iroh.Relay.Server.Names;
using Microsoft.Extensions.Logging;

namespace Blixard.Cli.Relay;

/// <summary>The options of the name server that may run beside a relay.</summary>
internal static class NameOptions
{
    private static readonly Option<string[]> s_dns = new("--dns")
    {
        Description = "UDP and TCP address where names of endpoints are answered over DNS; they are put and asked for over HTTP, too, at the relay's address. Needs --zone.",
        HelpName = "IP:PORT",
    };

    private static readonly Option<string[]> s_zone = new("--zone")
    {
        Description = "The domain that the names are in, such as dns.example.com: an endpoint's record is _iroh.ID.ZONE.",
        HelpName = "DOMAIN",
    };

    private static readonly Option<string[]> s_address = new("--zone-address") { Description = "The address of the zone's own name, and of its name server.", HelpName = "IP" };

    private static readonly Option<string?> s_file = new("--dns-data")
    {
        Description = "File that names are kept in, created if absent. Default: memory, so that a restart forgets them until they are put again.",
        HelpName = "FILE",
    };

    /// <summary>Adds the options to a command.</summary>
    public static void AddTo(Command command)
    {
        foreach (Option option in new Option[] { s_dns, s_zone, s_address, s_file })
            command.Options.Add(option);
    }

    /// <summary>The name server that is asked for; null if none is.</summary>
    public static NameServerOptions? Read(ParseResult result, ILoggerFactory loggers)
    {
        string[] dns = result.GetValue(s_dns) ?? [];
        string[] zones = result.GetValue(s_zone) ?? [];
        string[] addresses = result.GetValue(s_address) ?? [];
        if (dns.Length == 0)
        {
            return zones.Length == 0 && addresses.Length == 0 && result.GetValue(s_file) is null
                ? null
                : throw new CommandException(ExitCode.Usage, "--zone, --zone-address and --dns-data are for --dns IP:PORT, which is missing.");
        }

        if (zones.Length == 0)
            throw new CommandException(ExitCode.Usage, "--dns needs --zone DOMAIN: the domain that the names are in.");
        return new NameServerOptions
        {
            Zone = new NameZoneConfiguration { Origins = [.. zones.Select(ParseZone)], Addresses = [.. addresses.Select(ParseIp)] },
            DnsEndPoints = [.. dns.Select(text => RelayServeCommand.ParseAddress("--dns", text)!)],
            DatabasePath = result.GetValue(s_file),
            LoggerFactory = loggers,
        };
    }

    private static DomainName ParseZone(string text) => DomainName.TryParse(text, out DomainName? name)
        ? name
        : throw new CommandException(ExitCode.Usage, $"--zone takes a domain, such as dns.example.com; '{text}' is not one.");

    private static IPAddress ParseIp(string text) => IPAddress.TryParse(text, out IPAddress? address)
        ? address
        : throw new CommandException(ExitCode.Usage, $"--zone-address takes an IP address; '{text}' is not one.");
}
