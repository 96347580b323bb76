using System.Globalization;
using System.Net;
using Iroh;
using Iroh.Lookup;
using Iroh.NetReport;

namespace Blixard.Node.Configuration;

/// <summary>Options from <c>BLIXARD_*</c> variables, each named as its option: <c>BLIXARD_NAME</c>, <c>BLIXARD_DATA_DIR</c>,
/// <c>BLIXARD_BIND</c> (several separated by commas), <c>BLIXARD_GRPC</c>, <c>BLIXARD_HTTP</c>, <c>BLIXARD_OTLP</c>,
/// <c>BLIXARD_P2P</c> (on, off), <c>BLIXARD_MDNS</c> (on, off), <c>BLIXARD_DNS</c> and <c>BLIXARD_PKARR</c> (several separated by spaces), <c>BLIXARD_VCPUS</c>,
/// <c>BLIXARD_MEMORY_MIB</c>, <c>BLIXARD_LABELS</c> (key=value, separated by commas), <c>BLIXARD_NODE_TTL</c>
/// (seconds), <c>BLIXARD_IMAGE_QUOTA</c> (bytes, or with K, M, G or T), <c>BLIXARD_QEMU</c>, <c>BLIXARD_ETCD</c>.</summary>
public static class NodeEnvironment
{
    /// <summary>Whether multicast DNS is used.</summary>
    public const string MulticastVariable = "BLIXARD_MDNS";

    /// <summary>Domains that endpoints are named in.</summary>
    public const string DnsVariable = "BLIXARD_DNS";

    /// <summary>URLs of pkarr servers.</summary>
    public const string PkarrVariable = "BLIXARD_PKARR";

    /// <summary>The options with what the environment says put over them.</summary>
    /// <param name="options">What holds otherwise.</param>
    /// <param name="variable">The value of a variable, null if it is not set.</param>
    /// <exception cref="NodeStartException">A value cannot be read; the message names its variable.</exception>
    public static NodeOptions Apply(NodeOptions options, Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(variable);
        options = Read(options, variable, "BLIXARD_NAME", (o, text) => o with { Name = text });
        options = Read(options, variable, "BLIXARD_DATA_DIR", (o, text) => o with { DataDirectory = text });
        options = Read(options, variable, "BLIXARD_BIND", (o, text) => o with { Bind = [.. text.Split(',').Select(IPEndPoint.Parse)] });
        options = Read(options, variable, "BLIXARD_RELAY", (o, text) => o with { Relays = [.. text.Split(' ').Select(relay => ReadRelay(relay, variable("BLIXARD_RELAY_TOKEN")))] });
        options = Read(options, variable, "BLIXARD_STUN", (o, text) => o with { StunServers = [.. text.Split(' ').Select(ReadStun)] });
        options = Read(options, variable, "BLIXARD_PORT_MAPPING", (o, text) => o with { MapPorts = ReadSwitch(text) });
        options = options with { Lookups = ReadLookups(options.Lookups, variable) };
        options = Read(options, variable, "BLIXARD_GRPC", (o, text) => o with { Grpc = IPEndPoint.Parse(text) });
        options = Read(options, variable, "BLIXARD_HTTP", (o, text) => o with { Http = IPEndPoint.Parse(text) });
        options = Read(options, variable, "BLIXARD_OTLP", (o, text) => o with { Otlp = new Uri(text) });
        options = Read(options, variable, "BLIXARD_P2P", (o, text) => o with { P2p = ReadSwitch(text) });
        options = Read(options, variable, "BLIXARD_VCPUS", (o, text) => o with { Vcpus = int.Parse(text, CultureInfo.InvariantCulture) });
        options = Read(options, variable, "BLIXARD_MEMORY_MIB", (o, text) => o with { MemoryMib = long.Parse(text, CultureInfo.InvariantCulture) });
        options = Read(options, variable, "BLIXARD_LABELS", (o, text) => o with { Labels = ReadLabels(text) });
        options = Read(options, variable, "BLIXARD_NODE_TTL", (o, text) => o with { NodeTtl = TimeSpan.FromSeconds(int.Parse(text, CultureInfo.InvariantCulture)) });
        options = Read(options, variable, "BLIXARD_IMAGE_QUOTA", (o, text) => o with { ImageQuotaBytes = ByteCount.Parse(text) });
        options = Read(options, variable, "BLIXARD_QEMU", (o, text) => o with { QemuProgram = text });
        return Read(options, variable, "BLIXARD_ETCD", (o, text) => o with { EtcdProgram = text });
    }

    /// <summary>The look-up services with what the environment says put over them: the part of <see cref="Apply"/> that endpoints without a
    /// node have, too.</summary>
    /// <inheritdoc cref="Apply"/>
    public static LookupConfiguration ReadLookups(LookupConfiguration options, Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(variable);
        options = Read(options, variable, MulticastVariable, (o, text) => o with { Multicast = ReadSwitch(text) });
        options = Read(options, variable, DnsVariable, (o, text) => o with { Dns = [.. Words(text).Select(ReadDns)] });
        return Read(options, variable, PkarrVariable, (o, text) => o with { Pkarr = [.. Words(text).Select(ReadPkarr)] });
    }

    private static T Read<T>(T options, Func<string, string?> variable, string name, Func<T, string, T> apply)
    {
        if (variable(name) is not { Length: > 0 } text)
            return options;
        try
        {
            return apply(options, text);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw new NodeStartException(NodeStartFailure.Usage, $"{name} is '{text}', which cannot be read: {e.Message}", e);
        }
    }

    private static bool ReadSwitch(string text) => text switch
    {
        "on" or "true" or "1" => true,
        "off" or "false" or "0" => false,
        _ => throw new FormatException("it is 'on' or 'off'."),
    };

    private static RelayConfiguration ReadRelay(string text, string? token) => RelayConfiguration.TryParse(text, out RelayConfiguration? relay, out string? problem)
        ? relay with { Token = token is { Length: > 0 } ? token : null }
        : throw new FormatException(problem);

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static DnsOrigin ReadDns(string text) => DnsOrigin.TryParse(text, out DnsOrigin? origin, out string? problem)
        ? origin
        : throw new FormatException(problem);

    private static Uri ReadPkarr(string text) => LookupConfiguration.TryParsePkarr(text, out Uri? url, out string? problem)
        ? url
        : throw new FormatException(problem);

    private static StunServer ReadStun(string text) => StunServer.TryParse(text, out StunServer? server)
        ? server
        : throw new FormatException($"'{text}' is no HOST:PORT.");

    private static Dictionary<string, string> ReadLabels(string text)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string label in text.Split(','))
        {
            int equals = label.IndexOf('=');
            if (equals < 1)
                throw new FormatException("labels are key=value, separated by commas.");
            labels[label[..equals]] = label[(equals + 1)..];
        }

        return labels;
    }
}
