using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// A path id that may be used and is not used up: the connection ids of both ends, which are exchanged before there is a path, and the
/// path once it is opened.
/// </summary>
internal sealed class PathEntry
{
    public PathEntry(PathId id, LocalIds localIds, RemoteIds remoteIds)
    {
        Id = id;
        LocalIds = localIds;
        RemoteIds = remoteIds;
    }

    /// <summary>The path id.</summary>
    public PathId Id { get; }

    /// <summary>The ids that this end has issued for the path.</summary>
    public LocalIds LocalIds { get; }

    /// <summary>The ids that the peer has issued for the path.</summary>
    public RemoteIds RemoteIds { get; }

    /// <summary>The path; null while it is not opened.</summary>
    public Path? Path { get; set; }

    /// <summary>Whether the path was given up by an end: its id is never used again.</summary>
    public bool IsAbandoned => Path is { IsAbandoned: true } || IsAbandonedUnopened;

    /// <summary>Whether the peer gave up a path that was never opened here.</summary>
    public bool IsAbandonedUnopened { get; set; }

    /// <summary>When the id is forgotten, because both ends know that it was given up; <see cref="Instant.Never"/> while they do not.</summary>
    public Instant ForgottenAt { get; set; } = Instant.Never;
}
