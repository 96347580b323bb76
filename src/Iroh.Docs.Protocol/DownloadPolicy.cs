using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Docs;

/// <summary>
/// For which keys of a document the content is fetched when a peer has it. Immutable. On the wire: variant 0 (nothing except the filters)
/// or 1 (everything except them), number of filters, filters.
/// </summary>
public sealed class DownloadPolicy : IEquatable<DownloadPolicy>
{
    /// <summary>The most filters of a policy: each is tried on every entry that arrives.</summary>
    public const int FiltersMax = 1024;

    private DownloadPolicy(bool isEverything, ImmutableArray<KeyFilter> filters)
    {
        IsEverythingExcept = isEverything;
        Filters = filters;
    }

    /// <summary>Fetches all content; what a document has until told otherwise.</summary>
    public static DownloadPolicy Everything { get; } = new(true, []);

    /// <summary>Fetches nothing by itself.</summary>
    public static DownloadPolicy Nothing { get; } = new(false, []);

    /// <summary>Whether the filters say what not to fetch; otherwise they say what to fetch.</summary>
    public bool IsEverythingExcept { get; }

    /// <summary>The exceptions.</summary>
    public ImmutableArray<KeyFilter> Filters { get; }

    /// <summary>Fetches what no filter matches.</summary>
    public static DownloadPolicy EverythingExcept(params IEnumerable<KeyFilter> filters) => new(true, Limit(filters));

    /// <summary>Fetches what some filter matches.</summary>
    public static DownloadPolicy NothingExcept(params IEnumerable<KeyFilter> filters) => new(false, Limit(filters));

    /// <summary>Reads the wire form.</summary>
    public static bool TryRead(ref PostcardReader reader, [NotNullWhen(true)] out DownloadPolicy? policy)
    {
        policy = null;
        if (!reader.TryReadUInt32(out uint variant) || variant > 1 || !reader.TryReadUInt64(out ulong count) || count > FiltersMax)
            return false;
        var filters = ImmutableArray.CreateBuilder<KeyFilter>();
        for (ulong i = 0; i < count; i++)
        {
            if (!KeyFilter.TryRead(ref reader, out KeyFilter? filter))
                return false;
            filters.Add(filter);
        }

        policy = new DownloadPolicy(variant == 1, filters.ToImmutable());
        return true;
    }

    /// <summary>Whether the content of an entry with this key is to be fetched.</summary>
    public bool Wants(ReadOnlySpan<byte> key)
    {
        foreach (KeyFilter filter in Filters)
        {
            if (filter.Matches(key))
                return !IsEverythingExcept;
        }

        return IsEverythingExcept;
    }

    /// <summary>Appends the wire form.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteVarint(IsEverythingExcept ? 1u : 0u);
        writer.WriteVarint((ulong)Filters.Length);
        foreach (KeyFilter filter in Filters)
            filter.Write(writer);
    }

    /// <inheritdoc/>
    public bool Equals(DownloadPolicy? other) =>
        other is not null && IsEverythingExcept == other.IsEverythingExcept && Filters.AsSpan().SequenceEqual(other.Filters.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DownloadPolicy);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(IsEverythingExcept, Filters.Length);

    /// <summary>What is fetched, in words.</summary>
    public override string ToString() => (IsEverythingExcept ? "everything" : "nothing")
        + (Filters.IsEmpty ? "" : " except " + string.Join(", ", Filters));

    private static ImmutableArray<KeyFilter> Limit(IEnumerable<KeyFilter> filters)
    {
        ImmutableArray<KeyFilter> all = [.. filters];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(all.Length, FiltersMax, nameof(filters));
        return all;
    }
}
