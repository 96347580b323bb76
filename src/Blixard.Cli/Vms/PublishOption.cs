using System.Globalization;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary>What <c>--publish</c> takes: HOST:GUEST, two TCP ports.</summary>
internal static class PublishOption
{
    /// <summary>Says what is wrong with the values, or null.</summary>
    public static string? Check(IReadOnlyList<string> texts)
    {
        var seen = new HashSet<uint>();
        foreach (string text in texts)
        {
            if (TryRead(text) is not { } port)
                return $"--publish takes HOST:GUEST, two TCP ports such as 8080:80: 127.0.0.1:8080 of the VM's node then leads to port 80 of the VM; '{text}' is not that.";
            if (!seen.Add(port.HostPort))
                return $"--publish is given the host port {port.HostPort} twice; each leads to one port of the VM.";
        }

        return null;
    }

    /// <summary>The network card of a VM that publishes these ports; <see cref="Check"/> has passed them.</summary>
    public static VmNetwork Read(IEnumerable<string> texts) => new() { Ports = { texts.Select(text => TryRead(text)!) } };

    private static PublishedPort? TryRead(string text) =>
        text.Split(':') is [var host, var guest] && ReadPort(host) is { } hostPort && ReadPort(guest) is { } guestPort
            ? new PublishedPort { HostPort = hostPort, GuestPort = guestPort }
            : null;

    private static uint? ReadPort(string text) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) && port > 0 ? port : null;
}
