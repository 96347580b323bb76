using System.Diagnostics.Metrics;
using Iroh.Cryptography;
using Iroh.Relay.Server.Access;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Iroh.Relay.Server;

/// <summary>How a relay treats its clients.</summary>
public sealed record RelayOptions
{
    /// <summary>Who may use it. Default: everyone.</summary>
    public AccessControl Access { get; init; } = AccessControl.Everyone;

    /// <summary>How fast each client may send. Default: as fast as it can.</summary>
    public ReceiveLimit? ReceiveLimit { get; init; }

    /// <summary>How many connections there may be, those in their handshake included, at least 1. Default: 100,000.</summary>
    public int ConnectionsMax { get; init; } = 100_000;

    /// <summary>Gets the log. Default: nobody.</summary>
    public ILoggerFactory Loggers { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Makes the meter "Iroh.Relay.Server". Default: one that all listeners of the process see.</summary>
    public IMeterFactory? Meters { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Makes challenges and jitter; has to be thread-safe. Default: the operating system's.</summary>
    public RandomSource Random { get; init; } = OperatingSystemRandomSource.Instance;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="RelayServerException">An option is out of its range.</exception>
    internal void Validate()
    {
        if (ConnectionsMax < 1)
            throw new RelayServerException($"A relay needs room for at least one connection, not {ConnectionsMax}.");
    }
}
