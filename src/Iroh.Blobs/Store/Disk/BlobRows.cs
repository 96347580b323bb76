using Iroh.Blobs.Store.Backends;

namespace Iroh.Blobs.Store.Disk;

/// <summary>The rows of the index: its statements, in one place.</summary>
internal static class BlobRows
{
    private static object? Nothing => null;

    public static List<(BlobHash Hash, StoredBlob Blob)> ReadBlobs(IndexConnection index) => index.Query(
        "SELECT hash, size, content, outboard, path, modified FROM blobs",
        static row => (
            new BlobHash(row.GetFieldValue<byte[]>(0)),
            new StoredBlob(
                row.GetInt64(1), (ContentPlace)row.GetInt32(2), (OutboardPlace)row.GetInt32(3),
                row.IsDBNull(4) ? null : new FileReference(row.GetString(4), row.GetInt64(5)))));

    public static List<BlobTag> ReadTags(IndexConnection index) => index.Query(
        "SELECT name, hash, format FROM tags",
        static row => new BlobTag(row.GetString(0), new HashAndFormat(new BlobHash(row.GetFieldValue<byte[]>(1)), (BlobFormat)row.GetInt32(2))));

    public static List<BlobHash> ReadRemovals(IndexConnection index) =>
        index.Query("SELECT hash FROM removals", static row => new BlobHash(row.GetFieldValue<byte[]>(0)));

    /// <summary>The content of a small blob; null if it is missing.</summary>
    public static byte[]? ReadContent(IndexConnection index, BlobHash hash) => ReadBytes(index, "SELECT bytes FROM contents WHERE hash = $1", hash);

    /// <summary>A small outboard; null if it is missing.</summary>
    public static byte[]? ReadOutboard(IndexConnection index, BlobHash hash) => ReadBytes(index, "SELECT bytes FROM outboards WHERE hash = $1", hash);

    public static void WriteBlob(IndexConnection index, BlobHash hash, StoredBlob blob) => index.Run(
        "INSERT OR REPLACE INTO blobs VALUES ($1, $2, $3, $4, $5, $6)",
        hash.ToArray(), blob.Size, (int)blob.Content, (int)blob.Outboard, blob.Reference?.Path ?? Nothing, blob.Reference?.ModifiedTicks ?? Nothing);

    public static void WriteContent(IndexConnection index, BlobHash hash, byte[] bytes) =>
        index.Run("INSERT OR REPLACE INTO contents VALUES ($1, $2)", hash.ToArray(), bytes);

    public static void WriteOutboard(IndexConnection index, BlobHash hash, byte[] bytes) =>
        index.Run("INSERT OR REPLACE INTO outboards VALUES ($1, $2)", hash.ToArray(), bytes);

    /// <summary>Writes a tag, or removes it if there is no content.</summary>
    public static void WriteTag(IndexConnection index, string name, HashAndFormat? content)
    {
        if (content is { } kept)
            index.Run("INSERT OR REPLACE INTO tags VALUES ($1, $2, $3)", name, kept.Hash.ToArray(), (int)kept.Format);
        else
            index.Run("DELETE FROM tags WHERE name = $1", name);
    }

    public static void WriteRemoval(IndexConnection index, BlobHash hash) => index.Run("INSERT OR IGNORE INTO removals VALUES ($1)", hash.ToArray());

    public static void ForgetRemoval(IndexConnection index, BlobHash hash) => index.Run("DELETE FROM removals WHERE hash = $1", hash.ToArray());

    public static void ForgetBlob(IndexConnection index, BlobHash hash)
    {
        index.Run("DELETE FROM blobs WHERE hash = $1", hash.ToArray());
        index.Run("DELETE FROM contents WHERE hash = $1", hash.ToArray());
        index.Run("DELETE FROM outboards WHERE hash = $1", hash.ToArray());
    }

    private static byte[]? ReadBytes(IndexConnection index, string query, BlobHash hash) =>
        index.Query(query, static row => row.GetFieldValue<byte[]>(0), hash.ToArray()).SingleOrDefault();
}
