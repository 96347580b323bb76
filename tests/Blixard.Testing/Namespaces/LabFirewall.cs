using System.Globalization;
using System.Net;
using System.Text;

namespace Blixard.Testing.Namespaces;

/// <summary>What a blocked way no longer carries.</summary>
[Flags]
public enum LabTraffic
{
    /// <summary>Everything passes.</summary>
    None = 0,
    /// <summary>UDP: all of P2P.</summary>
    Udp = 1,
    /// <summary>TCP: all of gRPC.</summary>
    Tcp = 2,
    /// <summary>Both.</summary>
    All = Udp | Tcp,
}

/// <summary>The rules of one machine as an nft file. A pure function of what is blocked.</summary>
internal static class LabFirewall
{
    /// <summary>
    /// Rules that drop what comes in from each blocked address, and replace all rules before in one step. Only what comes in is dropped,
    /// at both ends of a blocked way: dropping what goes out would tell the sender with EPERM, and a network says nothing.
    /// </summary>
    public static string Rules(IEnumerable<KeyValuePair<IPAddress, LabTraffic>> blocked)
    {
        var rules = new StringBuilder("table inet lab\ndelete table inet lab\ntable inet lab {\nchain in {\ntype filter hook input priority 0\n");
        foreach ((IPAddress from, LabTraffic traffic) in blocked.OrderBy(pair => pair.Key.ToString(), StringComparer.Ordinal))
        {
            if (traffic.HasFlag(LabTraffic.Udp))
                rules.Append(CultureInfo.InvariantCulture, $"ip saddr {from} meta l4proto udp drop\n");
            if (traffic.HasFlag(LabTraffic.Tcp))
                rules.Append(CultureInfo.InvariantCulture, $"ip saddr {from} meta l4proto tcp drop\n");
        }

        return rules.Append("}\n}\n").ToString();
    }
}
