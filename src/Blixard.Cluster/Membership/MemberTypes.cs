using Blixard.V1;
using Iroh.Base;

namespace Blixard.Cluster.Membership;

/// <summary>A member came in: by the cluster's creation or by joining.</summary>
/// <param name="ClusterId">The cluster's id, a UUID.</param>
/// <param name="Member">The new member's record.</param>
/// <param name="Members">All members, the new one among them, by name.</param>
/// <param name="Revision">The store revision at which they were read.</param>
public sealed record Admission(string ClusterId, Member Member, IReadOnlyList<Member> Members, long Revision);

/// <summary>All members by name, as of a store revision.</summary>
public sealed record MemberList(IReadOnlyList<Member> Members, long Revision);

/// <summary>What happened to a member.</summary>
public enum MemberChangeKind
{
    /// <summary>It is new.</summary>
    Added,

    /// <summary>Its record changed.</summary>
    Changed,

    /// <summary>It is gone.</summary>
    Removed,
}

/// <summary>What happened to one member.</summary>
/// <param name="Kind">What.</param>
/// <param name="Id">To whom.</param>
/// <param name="Member">Its record; after a removal the last that was known.</param>
public sealed record MemberChange(MemberChangeKind Kind, EndpointId Id, Member Member);

/// <summary>One step of the member list.</summary>
/// <param name="Revision">The store revision that it brings the watcher to.</param>
/// <param name="IsSnapshot">True for the first step: <paramref name="Changes"/> then adds everybody, and removes whom the watcher knew from
/// before and who is gone.</param>
/// <param name="Changes">What happened.</param>
public sealed record MembersUpdate(long Revision, bool IsSnapshot, IReadOnlyList<MemberChange> Changes);
