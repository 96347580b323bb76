using System.Diagnostics.Metrics;

namespace Iroh.Blobs.Provider;

/// <summary>What a <see cref="BlobProvider"/> gives to whom, and how much of it.</summary>
public sealed class BlobProviderOptions
{
    /// <summary>Asked for every request before anything is served; null = everybody may have everything. An exception counts as
    /// <see cref="BlobAccess.Permission"/>.</summary>
    public Func<BlobRequestInfo, ValueTask<BlobAccess>>? Authorize { get; init; }

    /// <summary>
    /// Whether peers may bring blobs; false by default, then a push is refused before its data is read. <see cref="Authorize"/> is asked, too.
    /// DEVIATES: iroh-blobs 0.103 documents the same default and takes every push.
    /// </summary>
    public bool AllowPush { get; init; }

    /// <summary>Requests served at once, of all peers, observers not counted; one more is refused as rate limited. Each holds about half
    /// a megabyte, so the default is half a gigabyte at worst.</summary>
    public int RequestsMax { get; init; } = 1024;

    /// <summary>Requests served at once for one peer, over all its connections; one more is refused as rate limited. Downloaders ask for a
    /// blob with two at a time; the default leaves room for the children of a sequence.</summary>
    public int RequestsPerPeerMax { get; init; } = 64;

    /// <summary>Observers of one peer at once; one more is refused as rate limited. They cost little while nothing changes.</summary>
    public int ObserversPerPeerMax { get; init; } = 256;

    /// <summary>The most children of a hash sequence that one request can reach; beyond it the response ends. A million are a sequence of 32 MiB.</summary>
    public int HashSequenceLengthMax { get; init; } = 1024 * 1024;

    /// <summary>Bytes a second sent to all peers together; null = no limit.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>Bytes a second sent to one peer, over all its connections; null = no limit.</summary>
    public long? BytesPerSecondPerPeer { get; init; }

    /// <summary>How long a peer may take to send its request, or to go on with a push. A request is at most one megabyte: half a minute
    /// is enough for any link that can carry a blob.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a peer may leave the stream full before it is given up, so that nobody holds a request open by not reading. A
    /// minute outlasts a change of networks.</summary>
    public TimeSpan SendTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The shortest time between two reports to an observer. A twentieth of a second is soon enough to find a source for the next
    /// piece, and bounds the traffic while a blob grows by groups. With more than four observers it is longer, in proportion, up to twenty
    /// times.</summary>
    public TimeSpan ObserveInterval { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Hears of every request; null = nobody does.</summary>
    public IBlobProviderEvents? Events { get; init; }

    /// <summary>Makes the meter "Iroh.Blobs"; null for a meter of its own, which every listener to the name hears.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>The clock of limits and timeouts.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Checks the ranges of the options.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; its name is in the message.</exception>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(RequestsMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(RequestsPerPeerMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ObserversPerPeerMax, 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(HashSequenceLengthMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BytesPerSecond ?? 1, 1, nameof(BytesPerSecond));
        ArgumentOutOfRangeException.ThrowIfLessThan(BytesPerSecondPerPeer ?? 1, 1, nameof(BytesPerSecondPerPeer));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(RequestTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(SendTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(ObserveInterval, TimeSpan.Zero);
    }
}
