namespace Iroh.Blobs.Store;

/// <summary>How a store works.</summary>
public sealed class BlobStoreOptions
{
    /// <summary>The largest blob in bytes, 8 TiB: half of what a file of ext4 can have, and its outboard's offsets stay far from overflow.</summary>
    public const long BlobSizeMax = 1L << 43;

    /// <summary>
    /// What is kept in the index and not in files, in bytes of content, and of outboard: 16 KiB, a group, as upstream; a file takes two blocks
    /// and two flushes for a blob that fits in a page of the index.
    /// </summary>
    public const int InlineBytesMax = 16 * 1024;

    /// <summary>
    /// Bytes that all blobs may take together, more than 0; running downloads count in full as soon as their size is proven, files that are
    /// only referred to do not count. Null (the default): what the disk or memory has.
    /// </summary>
    public long? BytesMax { get; init; }

    /// <summary>
    /// How much of a partial blob may be newer than its record on the disk, in bytes: when this much has come it is flushed and recorded,
    /// beside the writing. What is newer is hashed again after a crash. At least 1 MiB; 64 MiB unless set, a tenth of a second of hashing.
    /// </summary>
    public long CheckpointBytes { get; init; } = 64L << 20;

    /// <summary>
    /// Whether what is acknowledged survives a power cut (the default), or only the end of the process: then nothing waits for the disk, as is
    /// good for caches and tests.
    /// </summary>
    public bool FlushesToDisk { get; init; } = true;

    /// <summary>The clock for the names of automatic tags. The system's unless set.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Says what is wrong, or null.</summary>
    public string? Check() =>
        BytesMax is <= 0 ? $"the quota of the blob store is {BytesMax} bytes; it must be more than zero"
        : CheckpointBytes < 1 << 20 ? $"the checkpoints of the blob store are {CheckpointBytes} bytes apart; at least {1 << 20} are possible"
        : null;
}
