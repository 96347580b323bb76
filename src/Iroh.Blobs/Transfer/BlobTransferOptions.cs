using System.Diagnostics.Metrics;

namespace Iroh.Blobs.Transfer;

/// <summary>How blobs are fetched.</summary>
public sealed class BlobTransferOptions
{
    /// <summary>How long a source may send nothing, or take to connect, before it is dropped: long enough for a change of paths or a disk
    /// that wakes up, short enough that a dead source does not hold anybody up.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The least that a source must send, in bytes a second, while it is waited for; 0 = anything will do. Below the default, 4 KiB,
    /// a disk image would take days.</summary>
    public long BytesPerSecondMin { get; init; } = 4 * 1024;

    /// <summary>Over what time of waiting <see cref="BytesPerSecondMin"/> is measured. Longer than a pause that is not meant.</summary>
    public TimeSpan TrickleWindow { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a downloader waits for a source that has nothing of a blob yet, if there is no other: it may be downloading it itself,
    /// and say so. Two seconds cover its start.</summary>
    public TimeSpan WaitForContent { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Requests that one source has at once for one blob, at most: with two, the next one is there when the last one ends. While eight
    /// are under way at all sources together, a source has one.</summary>
    public int RequestsPerSource { get; init; } = 2;

    /// <summary>Children of a hash sequence that are fetched at once. Small ones cost a way there and back each; eight at a time hide most
    /// of it, and a large one shares the sources with few others.</summary>
    public int ChildrenAtOnce { get; init; } = 8;

    /// <summary>The most children that a hash sequence may have: a million are a sequence of 32 MiB, which is held in memory.</summary>
    public int HashSequenceLengthMax { get; init; } = 1024 * 1024;

    /// <summary>The clock.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Makes the meter "Iroh.Blobs"; null for a meter of its own, which every listener to the name hears.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>Checks the ranges of the options.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; its name is in the message.</exception>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(StallTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(TrickleWindow, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfNegative(BytesPerSecondMin);
        ArgumentOutOfRangeException.ThrowIfLessThan(WaitForContent, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(RequestsPerSource, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(RequestsPerSource, 16);
        ArgumentOutOfRangeException.ThrowIfLessThan(ChildrenAtOnce, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(HashSequenceLengthMax, 1);
    }
}
