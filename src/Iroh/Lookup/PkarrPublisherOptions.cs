using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Lookup;

/// <summary>What a <see cref="PkarrPublisher"/> is made from.</summary>
public sealed class PkarrPublisherOptions
{
    /// <summary>The server's URL without the id, such as <see cref="N0Services.PkarrUrl"/>.</summary>
    public required Uri Url { get; init; }

    /// <summary>Signs the packets: the endpoint's own key.</summary>
    public required SecretKey SecretKey { get; init; }

    /// <summary>Which addresses are published. Default: relays only, as iroh: the world need not know where the machine is.</summary>
    public Func<TransportAddress, bool> Filter { get; init; } = AddressFilters.RelayOnly;

    /// <summary>How often the record is put again although nothing changed. Default: 5 minutes, as iroh.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Sends the requests and stays the caller's; null, the default, for a common one.</summary>
    public HttpClient? HttpClient { get; init; }

    /// <summary>Time and timers. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Spreads the times of many publishers. Default: the operating system's. Used by one thread at a time.</summary>
    public RandomSource Random { get; init; } = OperatingSystemRandomSource.Instance;
}
