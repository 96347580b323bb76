namespace Iroh.Lookup;

/// <summary>The public services that n0 runs for iroh; their records are those of everybody who uses iroh's own defaults.</summary>
public static class N0Services
{
    /// <summary>The origin of the names (production).</summary>
    public const string DnsOrigin = "dns.iroh.link";

    /// <summary>Where packets are put and got (production).</summary>
    public static Uri PkarrUrl { get; } = new("https://dns.iroh.link/pkarr");
}
