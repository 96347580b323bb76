using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tokens;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Cluster.Membership;

/// <summary>
/// The members of a cluster, as records of its store: the record at <c>/members/&lt;id in hex&gt;</c>, the id at
/// <c>/names/&lt;name&gt;</c>, the cluster's own id at <c>/cluster/id</c>. Both keys of a member change in one transaction, so
/// names and ids are unique whoever comes at the same time. Thread-safe.
/// </summary>
public sealed class Members
{
    /// <summary>Where the records are.</summary>
    public const string Prefix = "/members/";

    private const string NamesPrefix = "/names/";
    private const string ClusterIdKey = "/cluster/id";

    // Each attempt is lost only to somebody who changed the same member or token meanwhile; so many in a row is no accident.
    private const int AttemptsMax = 32;

    private readonly IClusterStore _store;
    private readonly JoinTokens _tokens;
    private readonly TimeProvider _time;

    /// <summary>The members in a store.</summary>
    /// <param name="store">Stays the caller's.</param>
    /// <param name="tokens">What lets new ones in.</param>
    /// <param name="time">The clock for times in records.</param>
    public Members(IClusterStore store, JoinTokens tokens, TimeProvider time) => (_store, _tokens, _time) = (store, tokens, time);

    /// <summary>The cluster's id; null before there is a cluster.</summary>
    public async Task<string?> GetClusterIdAsync(CancellationToken cancellationToken = default) =>
        await _store.GetAsync(ClusterIdKey, cancellationToken).ConfigureAwait(false) is { } entry ? Encoding.UTF8.GetString(entry.Value.Span) : null;

    /// <summary>
    /// The start of the node that holds the store: creates the cluster if there is none, and writes the node's own record. At a
    /// later start the cluster and the node's time of joining stay what they are.
    /// </summary>
    /// <param name="node">What it says of itself; it becomes a server.</param>
    /// <param name="address">Where it can be dialled; null while its P2P is off.</param>
    /// <param name="newClusterId">The id of the cluster if it is created now, of <see cref="NewClusterId"/>.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="MembershipException">The name is taken, the node has another name already, or it is not valid.</exception>
    public async Task<Admission> BootstrapAsync(
        NodeInfo node, V1.EndpointAddress? address, string newClusterId, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(newClusterId);
        Require(node, address);
        node = node.Clone();
        node.Role = NodeRole.Server;
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            string? clusterId = await GetClusterIdAsync(cancellationToken).ConfigureAwait(false);
            var comparisons = new List<StoreComparison>();
            var operations = new List<StoreOperation>();
            if (clusterId is null)
            {
                clusterId = newClusterId;
                comparisons.Add(new StoreComparison.Absent(ClusterIdKey));
                operations.Add(new StoreOperation.Put(ClusterIdKey, Encoding.UTF8.GetBytes(clusterId)));
            }

            await AddRecordAsync(node, address, comparisons, operations, cancellationToken).ConfigureAwait(false);
            if (await TryAdmitAsync(clusterId, node, comparisons, operations, cancellationToken).ConfigureAwait(false) is { } admission)
                return admission;
        }

        throw Busy();
    }

    /// <summary>Lets a node in: its token is used and its records are written in one transaction, or neither. A node that is a
    /// member may join again under its name, with another good token; its record is replaced.</summary>
    /// <param name="secret">The token's secret; any bytes.</param>
    /// <param name="node">What the node says of itself; a role that it leaves open becomes the token's.</param>
    /// <param name="address">Where it can be dialled; null while its P2P is off.</param>
    /// <param name="cancellationToken">Gives it up; whether the node is in is then not known.</param>
    /// <exception cref="MembershipException">Refused; every failure but <see cref="MembershipFailure.NotAMember"/> and
    /// <see cref="MembershipFailure.LastServer"/> is possible.</exception>
    public async Task<Admission> JoinAsync(
        ReadOnlyMemory<byte> secret, NodeInfo node, V1.EndpointAddress? address, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(node);
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            // The token comes first: who has none learns nothing about names and members.
            TokenUse token = await _tokens.CheckAsync(secret, cancellationToken).ConfigureAwait(false);
            if (token.Verdict != TokenVerdict.Good)
                throw Refuse(token.Verdict);
            Require(node, address);
            NodeInfo admitted = node.Clone();
            if (admitted.Role == NodeRole.Unspecified)
                admitted.Role = token.Role;
            if (admitted.Role == NodeRole.Server && token.Role != NodeRole.Server)
                throw RefuseRole();
            string clusterId = await GetClusterIdAsync(cancellationToken).ConfigureAwait(false) ?? throw NoCluster();
            List<StoreComparison> comparisons = [.. token.Comparisons];
            List<StoreOperation> operations = [.. token.Operations];
            await AddRecordAsync(admitted, address, comparisons, operations, cancellationToken).ConfigureAwait(false);
            if (await TryAdmitAsync(clusterId, admitted, comparisons, operations, cancellationToken).ConfigureAwait(false) is { } admission)
                return admission;
        }

        throw Busy();
    }

    /// <summary>Checks, without using it, that a token is good for a role.</summary>
    /// <exception cref="MembershipException">It is not; the failure says why.</exception>
    public async Task CheckTokenAsync(ReadOnlyMemory<byte> secret, NodeRole role, CancellationToken cancellationToken = default)
    {
        TokenUse token = await _tokens.CheckAsync(secret, cancellationToken).ConfigureAwait(false);
        if (token.Verdict != TokenVerdict.Good)
            throw Refuse(token.Verdict);
        if (role == NodeRole.Server && token.Role != NodeRole.Server)
            throw RefuseRole();
    }

    /// <summary>Lets a node in again that is a member already and has proven its key: its record is brought up to date.</summary>
    /// <exception cref="MembershipException">It is no member, or what it says of itself is not valid or not that of its record.</exception>
    public async Task<Admission> ReadmitAsync(NodeInfo node, V1.EndpointAddress? address, CancellationToken cancellationToken = default)
    {
        Member member = await UpdateAsync(node, address, cancellationToken).ConfigureAwait(false);
        string clusterId = await GetClusterIdAsync(cancellationToken).ConfigureAwait(false) ?? throw NoCluster();
        MemberList all = await ListAsync(cancellationToken).ConfigureAwait(false);
        return new Admission(clusterId, member, all.Members, all.Revision);
    }

    /// <summary>Removes a member.</summary>
    /// <returns>The store revision of the removal.</returns>
    /// <exception cref="MembershipException">It is no member, or the last server.</exception>
    public async Task<long> LeaveAsync(EndpointId id, CancellationToken cancellationToken = default)
    {
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            StoreRange range = await _store.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false);
            StoreEntry entry = range.Entries.FirstOrDefault(candidate => candidate.Key == KeyOf(id)) ?? throw NotAMember(id);
            var comparisons = new List<StoreComparison> { new StoreComparison.ModRevision(entry.Key, entry.ModRevision) };
            var operations = new List<StoreOperation> { new StoreOperation.Delete(entry.Key) };
            if (TryReadMember(entry, out Member? member))
            {
                operations.Add(new StoreOperation.Delete(NamesPrefix + member.Node.Name));
                if (member.Node.Role == NodeRole.Server)
                {
                    StoreEntry other = range.Entries.FirstOrDefault(candidate =>
                        candidate != entry && TryReadMember(candidate, out Member? server) && server.Node.Role == NodeRole.Server)
                        ?? throw new MembershipException(
                            MembershipFailure.LastServer, $"{member.Node.Name} is the last server: it holds the cluster's store. Without it there is no cluster.");
                    comparisons.Add(new StoreComparison.ModRevision(other.Key, other.ModRevision));
                }
            }

            StoreCommit commit = await _store.TransactAsync(new StoreTransaction(comparisons, operations), cancellationToken).ConfigureAwait(false);
            if (commit.Succeeded)
                return commit.Revision;
        }

        throw Busy();
    }

    /// <summary>Replaces what a member says of itself. Its name, id, role and time of joining stay. Nothing is written if nothing changed.</summary>
    /// <exception cref="MembershipException">It is no member, or the record is not valid or names another node.</exception>
    public async Task<Member> UpdateAsync(NodeInfo node, V1.EndpointAddress? address, CancellationToken cancellationToken = default)
    {
        Require(node, address);
        EndpointId id = EndpointId.FromBytes(node.EndpointId.Span);
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            StoreEntry entry = await _store.GetAsync(KeyOf(id), cancellationToken).ConfigureAwait(false) ?? throw NotAMember(id);
            if (!TryReadMember(entry, out Member? member))
                throw NotAMember(id);
            if (member.Node.Name != node.Name || (node.Role != NodeRole.Unspecified && member.Node.Role != node.Role))
                throw new MembershipException(MembershipFailure.InvalidNode, $"{member.Node.Name} cannot change its name or role without leaving.");
            Member updated = member.Clone();
            updated.Node = node.Clone();
            updated.Node.Role = member.Node.Role;
            updated.P2PNodeAddr = address?.Clone();
            if (updated.Equals(member))
                return member;
            updated.Revision = 0;
            StoreCommit commit = await _store.TransactAsync(
                new StoreTransaction(
                    [new StoreComparison.ModRevision(entry.Key, entry.ModRevision)],
                    [new StoreOperation.Put(entry.Key, updated.ToByteArray())]),
                cancellationToken).ConfigureAwait(false);
            if (commit.Succeeded)
            {
                updated.Revision = commit.Revision;
                return updated;
            }
        }

        throw Busy();
    }

    /// <summary>One member's record, null if there is no such member.</summary>
    public async Task<Member?> TryGetAsync(EndpointId id, CancellationToken cancellationToken = default) =>
        await _store.GetAsync(KeyOf(id), cancellationToken).ConfigureAwait(false) is { } entry && TryReadMember(entry, out Member? member)
            ? member
            : null;

    /// <summary>All members, by name.</summary>
    public async Task<MemberList> ListAsync(CancellationToken cancellationToken = default)
    {
        StoreRange range = await _store.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false);
        var members = new List<Member>();
        foreach (StoreEntry entry in range.Entries)
        {
            if (TryReadMember(entry, out Member? member))
                members.Add(member);
        }

        return new MemberList([.. members.OrderBy(member => member.Node.Name, StringComparer.Ordinal)], range.Revision);
    }

    /// <summary>Everybody, then every change, without end; waits out a store that cannot answer.</summary>
    public async IAsyncEnumerable<MembersUpdate> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var known = new Dictionary<EndpointId, Member>();
        await foreach (PrefixUpdate update in _store.FollowAsync(Prefix, _time, cancellationToken).ConfigureAwait(false))
        {
            var changes = new List<MemberChange>();
            foreach (StoreChange change in update.Changes)
            {
                if (!EndpointId.TryParse(change.Key.AsSpan(Prefix.Length), out EndpointId id))
                    continue;
                if (change.Entry is { } entry && TryReadMember(entry, out Member? member))
                {
                    changes.Add(new MemberChange(known.ContainsKey(id) ? MemberChangeKind.Changed : MemberChangeKind.Added, id, member));
                    known[id] = member;
                }
                else if (known.Remove(id, out Member? last))
                {
                    changes.Add(new MemberChange(MemberChangeKind.Removed, id, last));
                }
            }

            if (update.IsSnapshot || changes.Count > 0)
                yield return new MembersUpdate(update.Revision, update.IsSnapshot, changes);
        }
    }

    internal static string KeyOf(EndpointId id) => Prefix + id;

    internal static string NameKeyOf(string name) => NamesPrefix + name;

    private static bool TryReadMember(StoreEntry entry, [NotNullWhen(true)] out Member? member)
    {
        if (!RecordReader.TryRead(Member.Parser, entry, out member) || member.Node is null)
        {
            member = null;
            return false;
        }

        member.Revision = entry.ModRevision;
        return true;
    }

    /// <summary>Draws the id of a new cluster: a random UUID in its text form.</summary>
    public static string NewClusterId(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        Span<byte> bytes = stackalloc byte[16];
        random.Fill(bytes);
        // A random UUID: version 4, variant 1 (RFC 9562 §5.4).
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }

    private static void Require(NodeInfo node, V1.EndpointAddress? address)
    {
        if (NodeRules.Check(node, address) is { } problem)
            throw new MembershipException(MembershipFailure.InvalidNode, $"The node is refused: {problem}.");
    }

    private static MembershipException Refuse(TokenVerdict verdict) => verdict switch
    {
        TokenVerdict.Expired => new(MembershipFailure.TokenExpired, "The join token has expired. Make a new one with 'blixard token create'."),
        TokenVerdict.UsedUp => new(MembershipFailure.TokenUsedUp, "The join token has been used up. Make a new one with 'blixard token create'."),
        _ => new(MembershipFailure.TokenUnknown, "The join token is not known to this cluster. Was the ticket made elsewhere, or so long ago that it is forgotten?"),
    };

    private static MembershipException RefuseRole() =>
        new(MembershipFailure.RoleRefused, "This token lets workers in, not servers. 'blixard token create --role server' makes one for servers.");

    private static MembershipException NoCluster() => new(MembershipFailure.NoCluster, "There is no cluster here yet.");

    private static MembershipException NotAMember(EndpointId id) =>
        new(MembershipFailure.NotAMember, $"The node {id.ToShortString()} is no member of this cluster.");

    private static MembershipException Busy() =>
        new(MembershipFailure.Busy, "Others changed the same member or token again and again. Try again.");

    /// <summary>Adds what a member's two keys must be and will be.</summary>
    private async Task AddRecordAsync(
        NodeInfo node, V1.EndpointAddress? address, List<StoreComparison> comparisons, List<StoreOperation> operations,
        CancellationToken cancellationToken)
    {
        EndpointId id = EndpointId.FromBytes(node.EndpointId.Span);
        string key = KeyOf(id), nameKey = NamesPrefix + node.Name;
        StoreEntry? entry = await _store.GetAsync(key, cancellationToken).ConfigureAwait(false);
        StoreEntry? holder = await _store.GetAsync(nameKey, cancellationToken).ConfigureAwait(false);
        if (holder is not null && !holder.Value.Span.SequenceEqual(node.EndpointId.Span))
            throw new MembershipException(MembershipFailure.NameTaken, $"Another node of this cluster is called {node.Name}. Choose another name.");
        Timestamp joined = Timestamp.FromDateTimeOffset(_time.GetUtcNow());
        if (entry is not null && TryReadMember(entry, out Member? before))
        {
            if (before.Node.Name != node.Name)
            {
                throw new MembershipException(
                    MembershipFailure.OtherName, $"This node is a member already, as {before.Node.Name}. It keeps its name until it leaves.");
            }

            joined = before.JoinedAt;
        }

        comparisons.Add(entry is null ? new StoreComparison.Absent(key) : new StoreComparison.ModRevision(key, entry.ModRevision));
        comparisons.Add(holder is null ? new StoreComparison.Absent(nameKey) : new StoreComparison.ModRevision(nameKey, holder.ModRevision));
        operations.Add(new StoreOperation.Put(key, new Member { Node = node, P2PNodeAddr = address, JoinedAt = joined }.ToByteArray()));
        if (holder is null)
            operations.Add(new StoreOperation.Put(nameKey, node.EndpointId.Memory));
    }

    private async Task<Admission?> TryAdmitAsync(
        string clusterId, NodeInfo node, List<StoreComparison> comparisons, List<StoreOperation> operations, CancellationToken cancellationToken)
    {
        StoreCommit commit = await _store.TransactAsync(new StoreTransaction(comparisons, operations), cancellationToken).ConfigureAwait(false);
        if (!commit.Succeeded)
            return null;
        MemberList all = await ListAsync(cancellationToken).ConfigureAwait(false);
        // It may have been removed again at once; the next attempt tells.
        Member? own = all.Members.FirstOrDefault(member => member.Node.EndpointId == node.EndpointId);
        return own is null ? null : new Admission(clusterId, own, all.Members, all.Revision);
    }
}
