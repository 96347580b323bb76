using System.Net;

namespace Blixard.Testing.NatLab;

/// <summary>The rules of a site's gateway as an nft file. A pure function of its kind.</summary>
internal static class NatRules
{
    /// <summary>The gateway's interface on the outer side.</summary>
    public const string OuterInterface = "wan";

    /// <summary>
    /// Rules of a gateway. What comes in unasked is dropped before it is tracked: a tracked one would own the address and port pair that
    /// the host's own packet to the same peer needs, and that packet would get another port.
    /// </summary>
    /// <param name="kind">The gateway's kind: one that translates.</param>
    /// <param name="outer">Its address on the outer side.</param>
    public static string OfGateway(NatKind kind, IPAddress outer) => kind switch
    {
        NatKind.PortRestricted or NatKind.DoubleNat => Table(outer, "masquerade"),
        NatKind.RandomPort => Table(outer, "masquerade fully-random"),
        NatKind.UdpBlocked => Table(outer, "masquerade", forbidden: "meta l4proto udp drop"),
        NatKind.AddressIndependent => Table(outer, "masquerade", OpenMappings, Remember),
        // Only what was sent to a mapping goes from host to host; it leaves with the gateway's address, as the peer expects.
        NatKind.Hairpin => Table(
            outer, "masquerade", OpenMappings, Remember, forbidden: $"oifname != \"{OuterInterface}\" ct state new ct status ! dnat drop",
            between: $"iifname != \"{OuterInterface}\" oifname != \"{OuterInterface}\" ct status dnat snat to {outer}"),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no gateway of this kind"),
    };

    /// <summary>Rules of a host with a firewall of its own that admits answers alone.</summary>
    public const string OfFirewalledHost = """
        table inet guard
        delete table inet guard
        table inet guard {
        chain in {
        type filter hook input priority 0
        iifname "lo" accept
        ct state established,related accept
        meta l4proto ipv6-icmp accept
        drop
        }
        }

        """;

    /// <summary>Takes <see cref="OfFirewalledHost"/> back.</summary>
    public const string OfPlainHost = "table inet guard\ndelete table inet guard\n";

    /// <summary>Rules by which everything that comes in from a cable vanishes at an end of it, or nothing does.</summary>
    public static string OfCable(string device, bool isCut)
    {
        string table = $"table netdev cable_{device}";
        string none = $"{table}\ndelete {table}\n";
        return isCut ? $"{none}{table} {{\nchain in {{\ntype filter hook ingress device \"{device}\" priority 0\ndrop\n}}\n}}\n" : none;
    }

    private static string OpenMappings => "dnat to udp dport map @hosts";

    // A mapping lives for two minutes after its last packet (RFC 4787 REQ-5).
    private static string Remember => $"iifname != \"{OuterInterface}\" meta l4proto udp update @hosts {{ udp sport timeout 2m : ip saddr }}";

    private static string Table(
        IPAddress outer, string translation, string openMappings = "", string remember = "", string forbidden = "", string between = "") => $$"""
        table ip nat
        delete table ip nat
        table ip nat {
        map hosts {
        type inet_service : ipv4_addr
        flags dynamic,timeout
        }
        chain before {
        type nat hook prerouting priority -100
        ip daddr != {{outer}} accept
        {{openMappings}}
        }
        chain after {
        type nat hook postrouting priority 100
        oifname "{{OuterInterface}}" {{translation}}
        {{between}}
        }
        chain through {
        type filter hook forward priority 0
        {{forbidden}}
        {{remember}}
        ct state established,related accept
        ct status dnat accept
        iifname "{{OuterInterface}}" drop
        }
        chain in {
        type filter hook input priority 0
        iifname "lo" accept
        ct state established,related accept
        ip protocol icmp accept
        drop
        }
        }

        """;
}
