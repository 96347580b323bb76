using Iroh.Blobs;

namespace Blixard.Images.Fetching;

/// <summary>Reads a part of a blob from a peer.</summary>
/// <param name="hash">The blob.</param>
/// <param name="offset">The first byte.</param>
/// <param name="length">How many bytes; 0 = to the end.</param>
/// <param name="cancellationToken">Ends it early.</param>
/// <returns>The bytes in order and without gaps, in pieces of any length. They need not be right: the reader checks them.</returns>
public delegate IAsyncEnumerable<ReadOnlyMemory<byte>> BlobRangeReader(
    BlobHash hash, long offset, long length, CancellationToken cancellationToken);

/// <summary>Reads a blob's group list from a peer (<see cref="Blobs.ChunkGroups"/>).</summary>
/// <param name="hash">The blob.</param>
/// <param name="size">Its size in bytes, as the asker knows it.</param>
/// <param name="cancellationToken">Ends it early.</param>
/// <returns>The list in pieces of any length. It need not be right: the reader checks it.</returns>
public delegate IAsyncEnumerable<ReadOnlyMemory<byte>> GroupListReader(BlobHash hash, long size, CancellationToken cancellationToken);

/// <summary>Somebody who may have blobs. Its readers are called by many threads; they fail with <see cref="BlobSourceException"/> or any
/// other exception, which counts as <see cref="SourceFailureKind.Unreachable"/>.</summary>
/// <param name="Name">The peer's name, for people.</param>
/// <param name="ReadRange">Reads content.</param>
/// <param name="ReadGroupList">Reads a group list.</param>
public sealed record BlobSource(string Name, BlobRangeReader ReadRange, GroupListReader ReadGroupList);

/// <summary>How a source failed.</summary>
public enum SourceFailureKind
{
    /// <summary>It does not have the blob.</summary>
    NotFound,

    /// <summary>It cannot be reached, went away in the middle, or answered with an error.</summary>
    Unreachable,

    /// <summary>It sent nothing for too long.</summary>
    Stalled,

    /// <summary>Its answer ended too early.</summary>
    Truncated,

    /// <summary>Its answer is longer than what was asked for, or it says another size.</summary>
    WrongSize,

    /// <summary>Its group list is not the one of the blob.</summary>
    WrongGroupList,

    /// <summary>It sent content that is not the blob's.</summary>
    CorruptChunk,
}

/// <summary>Why a source was dropped.</summary>
/// <param name="Source">Its name.</param>
/// <param name="Kind">How it failed.</param>
/// <param name="Offset">Where in the blob, in bytes; the beginning of the group for <see cref="SourceFailureKind.CorruptChunk"/>.</param>
/// <param name="Detail">More, for people; may be empty.</param>
public sealed record SourceFailure(string Source, SourceFailureKind Kind, long Offset, string Detail)
{
    /// <summary>All of it in words.</summary>
    public override string ToString() => Kind switch
    {
        SourceFailureKind.NotFound => $"{Source} does not have it",
        SourceFailureKind.Unreachable => $"{Source} failed at byte {Offset}: {Detail}",
        SourceFailureKind.Stalled => $"{Source} sent nothing more at byte {Offset}",
        SourceFailureKind.Truncated => $"{Source} stopped early at byte {Offset}",
        SourceFailureKind.WrongSize => $"{Source} disagrees about its size: {Detail}",
        SourceFailureKind.WrongGroupList => $"{Source} sent a group list that is not of this blob",
        _ => $"{Source} sent a corrupt chunk at byte {Offset}",
    };
}

/// <summary>What a source's reader throws to say more than that it failed.</summary>
public sealed class BlobSourceException(SourceFailureKind kind, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>How it failed.</summary>
    public SourceFailureKind Kind { get; } = kind;
}
