using System.Security.Cryptography;
using Blixard.Cluster.Store;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tokens;

/// <summary>A token as its maker gets it, once.</summary>
/// <param name="Secret">What lets a node join, <see cref="JoinTicket.SecretLength"/> bytes; it is nowhere else.</param>
/// <param name="Role">The role that joiners may get.</param>
/// <param name="Expires">When it ceases to be good.</param>
/// <param name="UsesMax">How many nodes may join with it.</param>
public sealed record JoinToken(ReadOnlyMemory<byte> Secret, NodeRole Role, DateTimeOffset Expires, int UsesMax);

/// <summary>What a token is worth.</summary>
public enum TokenVerdict
{
    /// <summary>It is good.</summary>
    Good,

    /// <summary>Nobody made it, or it expired so long ago that it is forgotten.</summary>
    Unknown,

    /// <summary>Its time is over.</summary>
    Expired,

    /// <summary>As many nodes as may have joined with it.</summary>
    UsedUp,
}

/// <summary>A token that was looked at, and how to use it up as a part of a transaction.</summary>
/// <param name="Verdict">What it is worth.</param>
/// <param name="Role">The role that it gives, if it is good.</param>
/// <param name="Comparisons">If it is good: what must hold for the use to count, so that of two users at once only one gets it.</param>
/// <param name="Operations">If it is good: what makes it used.</param>
public sealed record TokenUse(
    TokenVerdict Verdict, NodeRole Role, IReadOnlyList<StoreComparison> Comparisons, IReadOnlyList<StoreOperation> Operations);

/// <summary>
/// The join tokens of a cluster. The store holds the SHA-256 of a secret, not the secret, at <c>/tokens/&lt;hash in hex&gt;</c>:
/// who reads the store cannot join. Thread-safe.
/// </summary>
public sealed class JoinTokens
{
    /// <summary>Where the records are.</summary>
    public const string Prefix = "/tokens/";

    /// <summary>The most nodes that one token lets in.</summary>
    public const int UsesLimit = 1_000;

    /// <summary>How long a token is good unless said otherwise.</summary>
    public static readonly TimeSpan DefaultLifetime = TimeSpan.FromHours(1);

    /// <summary>The shortest lifetime.</summary>
    public static readonly TimeSpan LifetimeMin = TimeSpan.FromSeconds(1);

    /// <summary>The longest lifetime: a secret that lies about for longer is a danger.</summary>
    public static readonly TimeSpan LifetimeMax = TimeSpan.FromDays(30);

    private readonly IClusterStore _store;
    private readonly RandomSource _random;
    private readonly TimeProvider _time;
    private readonly Lock _drawing = new();

    /// <summary>The tokens of a store.</summary>
    /// <param name="store">Stays the caller's.</param>
    /// <param name="random">Makes the secrets: the operating system's, in production.</param>
    /// <param name="time">The clock by which tokens expire.</param>
    public JoinTokens(IClusterStore store, RandomSource random, TimeProvider time) => (_store, _random, _time) = (store, random, time);

    /// <summary>Makes a token, and forgets those that have expired.</summary>
    /// <param name="role">The role that joiners may get; unspecified = worker.</param>
    /// <param name="lifetime">How long it is good, <see cref="LifetimeMin"/> to <see cref="LifetimeMax"/>; null = <see cref="DefaultLifetime"/>.</param>
    /// <param name="usesMax">How many nodes may join with it, 1 to <see cref="UsesLimit"/>.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value lies outside its range.</exception>
    public async Task<JoinToken> CreateAsync(
        NodeRole role, TimeSpan? lifetime = null, int usesMax = 1, CancellationToken cancellationToken = default)
    {
        TimeSpan goodFor = lifetime ?? DefaultLifetime;
        if (goodFor < LifetimeMin || goodFor > LifetimeMax)
            throw new ArgumentOutOfRangeException(nameof(lifetime), "A join token is good for 1 second to 30 days.");
        if (usesMax is < 1 or > UsesLimit)
            throw new ArgumentOutOfRangeException(nameof(usesMax), $"A join token has 1 to {UsesLimit} uses.");
        if (role is not (NodeRole.Unspecified or NodeRole.Server or NodeRole.Worker))
            throw new ArgumentOutOfRangeException(nameof(role), "A join token is for a server or a worker.");
        byte[] secret = new byte[JoinTicket.SecretLength];
        lock (_drawing)
            _random.Fill(secret);
        byte[] hash = SHA256.HashData(secret);
        DateTimeOffset now = _time.GetUtcNow();
        var record = new TokenRecord
        {
            Hash = ByteString.CopyFrom(hash),
            Role = role == NodeRole.Unspecified ? NodeRole.Worker : role,
            Expires = Timestamp.FromDateTimeOffset(now + goodFor),
            UsesLeft = (uint)usesMax,
        };
        var put = new StoreOperation.Put(KeyOf(hash), record.ToByteArray());
        StoreCommit commit = await _store.TransactAsync(
            new StoreTransaction([new StoreComparison.Absent(put.Key)], [put, .. await FindExpiredAsync(now, cancellationToken).ConfigureAwait(false)]),
            cancellationToken).ConfigureAwait(false);
        return commit.Succeeded
            ? new JoinToken(secret, record.Role, record.Expires.ToDateTimeOffset(), usesMax)
            : throw new InvalidOperationException("The random source made the same secret twice.");
    }

    /// <summary>Looks at a token without using it. One that has expired is forgotten on the occasion.</summary>
    /// <param name="secret">What the joining node shows; any bytes.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public async Task<TokenUse> CheckAsync(ReadOnlyMemory<byte> secret, CancellationToken cancellationToken = default)
    {
        byte[] hash = SHA256.HashData(secret.Span);
        string key = KeyOf(hash);
        StoreEntry? entry = await _store.GetAsync(key, cancellationToken).ConfigureAwait(false);
        // The comparison takes the same time whatever the bytes; the look-up shows nothing but what a guesser hashed himself.
        if (entry is null || !TryRead(entry, out TokenRecord? record) || !CryptographicOperations.FixedTimeEquals(record.Hash.Span, hash))
            return Refuse(TokenVerdict.Unknown);
        StoreComparison unchanged = new StoreComparison.ModRevision(key, entry.ModRevision);
        if (record.Expires.ToDateTimeOffset() <= _time.GetUtcNow())
        {
            await _store.TransactAsync(new StoreTransaction([unchanged], [new StoreOperation.Delete(key)]), cancellationToken).ConfigureAwait(false);
            return Refuse(TokenVerdict.Expired);
        }

        if (record.UsesLeft == 0)
            return Refuse(TokenVerdict.UsedUp);
        // Kept with no uses left until it expires, so that whoever comes too late learns why.
        record.UsesLeft--;
        return new TokenUse(TokenVerdict.Good, record.Role, [unchanged], [new StoreOperation.Put(key, record.ToByteArray())]);
    }

    private static TokenUse Refuse(TokenVerdict verdict) => new(verdict, NodeRole.Unspecified, [], []);

    private static string KeyOf(byte[] hash) => Prefix + Convert.ToHexStringLower(hash);

    private static bool TryRead(StoreEntry entry, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TokenRecord? record) =>
        RecordReader.TryRead(TokenRecord.Parser, entry, out record) && record.Expires is not null;

    private async Task<IEnumerable<StoreOperation>> FindExpiredAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        StoreRange all = await _store.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false);
        // One place of the transaction is for the new token.
        return all.Entries
            .Where(entry => !TryRead(entry, out TokenRecord? record) || record.Expires.ToDateTimeOffset() <= now)
            .Take(StoreLimits.TransactionItemsMax - 1)
            .Select(entry => new StoreOperation.Delete(entry.Key));
    }
}
