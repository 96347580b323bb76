using System.Diagnostics.Metrics;
using System.Net;
using Iroh.Dns.Zones;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server.Names;

/// <summary>What a <see cref="NameServer"/> is made from. Read once.</summary>
public sealed class NameServerOptions
{
    /// <summary>The zones, and how many packets are kept for how long.</summary>
    public required NameZoneConfiguration Zone { get; init; }

    /// <summary>
    /// Where DNS is answered, each over UDP and over TCP; port 0 is a free port, the same for both. Default: nowhere, HTTP only. On
    /// a machine with several addresses name each: from a wildcard, answers over UDP may leave with another address than was asked.
    /// </summary>
    public IReadOnlyList<IPEndPoint> DnsEndPoints { get; init; } = [];

    /// <summary>The SQLite file that packets are kept in; created if it is missing, its folder is not. Null, the default: memory only.</summary>
    public string? DatabasePath { get; init; }

    /// <summary>
    /// How many packets an address may put at once; 0 for any number at any rate. Default: 32. iroh's server takes 2, which is what
    /// one endpoint puts when it starts: of several behind one address, all but the first wait.
    /// </summary>
    public int PutBurst { get; init; } = 32;

    /// <summary>After how long it may put one more. Default: 1 s, which is enough for 300 publishers; each puts every 5 minutes.</summary>
    public TimeSpan PutInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Time and timers. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Is told of what an operator should know; null, the default, for nobody.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }

    /// <summary>Makes the server's meter; null, the default, for one that belongs to nobody else.</summary>
    public IMeterFactory? MeterFactory { get; init; }
}
