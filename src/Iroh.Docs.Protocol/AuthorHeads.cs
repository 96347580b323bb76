using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Docs;

/// <summary>
/// The newest timestamp per author that a replica has or has received: a cheap hint whether a peer has news. Immutable. On the wire: number,
/// then (timestamp, author), newest first. Of two authors with the same timestamp iroh keeps one; both are kept here.
/// </summary>
public sealed class AuthorHeads
{
    /// <summary>The most authors that are read from a peer: more than fit a gossip message of the largest size anybody configures.</summary>
    public const int AuthorsMax = 16 * 1024;

    private readonly ImmutableDictionary<AuthorId, EntryTimestamp> _newest;

    private AuthorHeads(ImmutableDictionary<AuthorId, EntryTimestamp> newest) => _newest = newest;

    /// <summary>Of nobody.</summary>
    public static AuthorHeads Empty { get; } = new(ImmutableDictionary<AuthorId, EntryTimestamp>.Empty);

    /// <summary>Number of authors.</summary>
    public int Count => _newest.Count;

    /// <summary>Whether there is no author.</summary>
    public bool IsEmpty => _newest.IsEmpty;

    /// <summary>Authors and timestamps, newest first, then by author.</summary>
    public IReadOnlyList<KeyValuePair<AuthorId, EntryTimestamp>> NewestFirst =>
        [.. _newest.OrderByDescending(head => head.Value.Microseconds).ThenBy(head => head.Key)];

    /// <summary>The author's timestamp, if it is here.</summary>
    public bool TryGet(AuthorId author, out EntryTimestamp timestamp) => _newest.TryGetValue(author, out timestamp);

    /// <summary>With the author's timestamp raised to <paramref name="timestamp"/>; heads never step back.</summary>
    public AuthorHeads With(AuthorId author, EntryTimestamp timestamp) =>
        _newest.TryGetValue(author, out EntryTimestamp known) && known >= timestamp ? this : new AuthorHeads(_newest.SetItem(author, timestamp));

    /// <summary>Whether some author is here newer than in <paramref name="ours"/>, or only here.</summary>
    public bool HasNewsFor(AuthorHeads ours)
    {
        ArgumentNullException.ThrowIfNull(ours);
        foreach ((AuthorId author, EntryTimestamp timestamp) in _newest)
        {
            if (!ours._newest.TryGetValue(author, out EntryTimestamp known) || known < timestamp)
                return true;
        }

        return false;
    }

    /// <summary>Reads the wire form, which is all of <paramref name="bytes"/> or the front of it.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out AuthorHeads? heads)
    {
        heads = null;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadUInt64(out ulong count) || count > AuthorsMax)
            return false;
        AuthorHeads read = Empty;
        for (ulong i = 0; i < count; i++)
        {
            if (!reader.TryReadUInt64(out ulong timestamp) || !reader.TryReadFixed(AuthorId.Length, out ReadOnlySpan<byte> author))
                return false;
            read = read.With(new AuthorId(author), new EntryTimestamp(timestamp));
        }

        heads = read;
        return true;
    }

    /// <summary>The wire form, without the oldest authors if it would be longer.</summary>
    /// <param name="lengthMax">Bytes there is room for; at least 1.</param>
    public byte[] Encode(int lengthMax)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lengthMax, 1);
        var authors = new PostcardWriter();
        byte[] encoded = [0];
        ulong count = 0;
        foreach ((AuthorId author, EntryTimestamp timestamp) in NewestFirst)
        {
            authors.WriteVarint(timestamp.Microseconds);
            authors.WriteFixed(author.Span);
            var whole = new PostcardWriter();
            whole.WriteVarint(++count);
            if (whole.Written.Length + authors.Written.Length > lengthMax)
                break;
            whole.WriteFixed(authors.Written);
            encoded = whole.ToArray();
        }

        return encoded;
    }
}
