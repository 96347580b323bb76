using Blixard.Cluster.Store;
using Blixard.V1;
using Iroh.Base;

namespace Blixard.Cluster.Membership;

/// <summary>
/// Which keys of a backup a cluster begins again with when one node restores it as its only server. The records of the other
/// servers go: they hold no copy of the restored store, and join anew. Workers stay members. Pure.
/// </summary>
/// <param name="Entries">The keys that stay, in order.</param>
/// <param name="RemovedServers">The names of the servers whose records went, in order.</param>
/// <param name="OwnName">The name under which the restoring node is in the backup; null if it is not.</param>
public sealed record RestoredMembers(IReadOnlyList<StoreEntry> Entries, IReadOnlyList<string> RemovedServers, string? OwnName)
{
    /// <summary>Decides.</summary>
    /// <param name="entries">All keys of the backup, in order.</param>
    /// <param name="self">The restoring node.</param>
    public static RestoredMembers From(IReadOnlyList<StoreEntry> entries, EndpointId self)
    {
        ArgumentNullException.ThrowIfNull(entries);
        var removedKeys = new HashSet<string>(StringComparer.Ordinal);
        var removed = new List<string>();
        string? ownName = null;
        foreach (StoreEntry entry in entries)
        {
            if (!entry.Key.StartsWith(Members.Prefix, StringComparison.Ordinal)
                || !RecordReader.TryRead(Member.Parser, entry, out Member? member) || member.Node is null)
                continue;
            if (entry.Key == Members.KeyOf(self))
            {
                ownName = member.Node.Name;
            }
            else if (member.Node.Role == NodeRole.Server)
            {
                removed.Add(member.Node.Name);
                removedKeys.Add(entry.Key);
                removedKeys.Add(Members.NameKeyOf(member.Node.Name));
            }
        }

        removed.Sort(StringComparer.Ordinal);
        return new RestoredMembers([.. entries.Where(entry => !removedKeys.Contains(entry.Key))], removed, ownName);
    }

    /// <summary>Whether a name belongs to a member other than <paramref name="self"/> among the keys that stay.</summary>
    public bool IsTakenByOther(string name, EndpointId self) =>
        Entries.FirstOrDefault(entry => entry.Key == Members.NameKeyOf(name)) is { } holder && !holder.Value.Span.SequenceEqual(self.Span);
}
