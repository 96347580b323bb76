using System.CommandLine;
using Blixard.Node.Configuration;
using Iroh.Lookup;

namespace Blixard.Cli.Net;

/// <summary>The options that say where endpoints are looked for by their id, and where this one is published.</summary>
internal sealed class LookupOptions
{
    private readonly Option<bool> _mdns = new("--mdns")
    {
        Description = $"Find others by their id on the local network, and be found there (multicast DNS). Or set {NodeEnvironment.MulticastVariable}=on.",
    };

    private readonly Option<string[]> _dns = new("--dns")
    {
        Description = "A domain that endpoints are named in, to find others by their id; after '@' the server to ask: IP[:PORT] or a URL for DNS over HTTPS. "
            + $"Default: {NodeEnvironment.DnsVariable}.",
        HelpName = "DOMAIN[@SERVER]",
    };

    private readonly Option<string[]> _pkarr = new("--pkarr")
    {
        Description = "A pkarr server, such as https://HOST/pkarr: others are found there by their id, and this endpoint is; it shows the relay, or without "
            + $"one the addresses. Default: {NodeEnvironment.PkarrVariable}.",
        HelpName = "URL",
    };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_mdns);
        command.Options.Add(_dns);
        command.Options.Add(_pkarr);
    }

    /// <summary>What the command line says, over what holds otherwise.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="otherwise">What the environment says: each option that is given takes the place of its part.</param>
    public LookupConfiguration Read(ParseResult result, LookupConfiguration otherwise)
    {
        if (result.GetValue(_mdns))
            otherwise = otherwise with { Multicast = true };
        if (result.GetValue(_dns) is { Length: > 0 } dns)
            otherwise = otherwise with { Dns = [.. dns.Select(ParseDns)] };
        if (result.GetValue(_pkarr) is { Length: > 0 } pkarr)
            otherwise = otherwise with { Pkarr = [.. pkarr.Select(ParsePkarr)] };
        return otherwise;
    }

    private static DnsOrigin ParseDns(string text) => DnsOrigin.TryParse(text, out DnsOrigin? origin, out string? problem)
        ? origin
        : throw new CommandException(ExitCode.Usage, $"--dns: {problem}");

    private static Uri ParsePkarr(string text) => LookupConfiguration.TryParsePkarr(text, out Uri? url, out string? problem)
        ? url
        : throw new CommandException(ExitCode.Usage, $"--pkarr: {problem}");
}
