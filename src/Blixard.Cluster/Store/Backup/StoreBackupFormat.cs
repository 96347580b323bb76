namespace Blixard.Cluster.Store.Backup;

/// <summary>
/// The numbers of the backup file (docs/store.md, "Backup file"). All integers are little-endian.
/// </summary>
/// <remarks>
/// magic (16) · version (4) · header: length (4), revision (8), Unix time in ms (8), cluster id: length (1) and bytes, engine:
/// length (1) and bytes · entries in the order of their keys, each: length (4), create revision (8), mod revision (8),
/// version (8), length of the key (2), key, value · end: zero (4), number of entries (8) · BLAKE3 of all bytes before (32).
/// </remarks>
internal static class StoreBackupFormat
{
    public const uint Version = 1;

    public const int HashBytes = 32;

    /// <summary>Revision and time: what a header has at least, beside two texts.</summary>
    public const int HeaderFixedBytes = 16;

    /// <summary>The longest cluster id or engine; a UUID has 36.</summary>
    public const int TextBytesMax = 64;

    public const int HeaderBytesMax = HeaderFixedBytes + (2 * (1 + TextBytesMax));

    /// <summary>Three revisions and the length of the key.</summary>
    public const int EntryFixedBytes = 26;

    public const int EntryBytesMax = EntryFixedBytes + StoreLimits.KeyBytesMax + StoreLimits.ValueBytesMax;

    /// <summary>Line ends of both kinds and bytes that are no text: a transfer that converts text is noticed.</summary>
    public static ReadOnlySpan<byte> Magic => "blixard-store\r\n\0"u8;
}
