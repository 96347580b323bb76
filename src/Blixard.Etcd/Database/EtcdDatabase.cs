using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;
using Blixard.Etcd.Store;
using Blixard.Etcd.Wire;
using Google.Protobuf;

namespace Blixard.Etcd.Database;

/// <summary>
/// Makes an etcd snapshot file that holds a store's keys and history under given revisions: what <c>etcdctl snapshot save</c>
/// would write of a member that had lived through that history.
/// </summary>
/// <remarks>
/// etcd keeps each change in the bucket <c>key</c> under its revision: 8 bytes of the transaction's number, <c>_</c>, 8 bytes of
/// the position in it, big-endian, and <c>t</c> for a deletion; the value is the key as it then was. It builds its index from
/// these rows when it starts; its revision is that of the last row, or the compacted one if that is higher. A watch from below
/// the compacted revision (<c>finishedCompactRev</c> in <c>meta</c>) is told so, any other is answered from the rows.
/// The file ends with the SHA-256 of what is before, which the restoring tool checks.
/// </remarks>
public static class EtcdDatabase
{
    private const int RevisionBytes = 17;
    private const int FileBufferBytes = 1 << 20;

    // What etcd expects to find, in the order of bbolt; all but key and meta are empty until it writes them.
    private static readonly string[] s_bucketsBefore = ["alarm", "auth", "authRoles", "authUsers", "cluster"];
    private static readonly string[] s_bucketsBetween = ["lease", "members", "members_removed"];

    /// <summary>Writes the file and syncs it to the disk.</summary>
    /// <param name="path">A file that is not there yet; it is made with mode 0600.</param>
    /// <param name="history">What it shall hold. Keys with a lease are deleted in one revision of their own at the end: nobody
    /// keeps their leases alive any more.</param>
    /// <param name="progress">Told the rows written so far; null for nobody.</param>
    /// <param name="cancellationToken">Gives it up; the file is then not complete.</param>
    /// <returns>The store revision that the member will begin at.</returns>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static async Task<long> WriteAsync(
        string path, StoreHistory history, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(history);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, BufferSize = FileBufferBytes };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(path, options);
        await using (file.ConfigureAwait(false))
        {
            var bolt = new BoltWriter(file);
            foreach (string name in s_bucketsBefore)
                bolt.BeginBucket(Encoding.UTF8.GetBytes(name));
            bolt.BeginBucket("key"u8);
            long revision = await WriteRowsAsync(bolt, history, progress, cancellationToken).ConfigureAwait(false);
            foreach (string name in s_bucketsBetween)
                bolt.BeginBucket(Encoding.UTF8.GetBytes(name));
            bolt.BeginBucket("meta"u8);
            WriteMeta(bolt, history);
            bolt.Complete();
            await AppendHashAsync(file, cancellationToken).ConfigureAwait(false);
            file.Flush(flushToDisk: true);
            return revision;
        }
    }

    private static async Task<long> WriteRowsAsync(
        BoltWriter bolt, StoreHistory history, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long rows = 0, main = 0, sub = 0;
        // Before the kept history: what was written then and is still there. The order within a revision is forgotten.
        foreach (StoreEntry entry in history.Entries.Where(entry => entry.ModRevision < history.OldestRevision)
            .OrderBy(entry => entry.ModRevision).ThenBy(entry => entry.Key, StringComparer.Ordinal))
        {
            sub = entry.ModRevision == main ? sub + 1 : 0;
            main = entry.ModRevision;
            WriteRow(bolt, main, sub, entry.Key, entry);
            progress?.Report(++rows);
        }

        await foreach (StoreChanges step in history.Changes.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            for (int i = 0; i < step.Changes.Count; i++)
            {
                WriteRow(bolt, step.Revision, i, step.Changes[i].Key, step.Changes[i].Entry);
                progress?.Report(++rows);
            }
        }

        List<StoreEntry> leased = [.. history.Entries.Where(entry => entry.Lease != 0)];
        for (int i = 0; i < leased.Count; i++)
            WriteRow(bolt, history.Revision + 1, i, leased[i].Key, null);
        return leased.Count > 0 ? history.Revision + 1 : history.Revision;
    }

    private static void WriteRow(BoltWriter bolt, long revision, long position, string key, StoreEntry? entry)
    {
        Span<byte> row = stackalloc byte[RevisionBytes + 1];
        WriteRevision(row, revision, position);
        row[RevisionBytes] = (byte)'t';
        var value = new KeyValue { Key = ByteString.CopyFromUtf8(key) };
        if (entry is not null)
        {
            value.CreateRevision = EtcdRevision.ToEtcd(entry.CreateRevision);
            value.ModRevision = EtcdRevision.ToEtcd(entry.ModRevision);
            value.Version = entry.Version;
            value.Value = UnsafeByteOperations.UnsafeWrap(entry.Value);
            value.Lease = entry.Lease;
        }

        bolt.Put(entry is null ? row : row[..RevisionBytes], value.ToByteArray());
    }

    private static void WriteMeta(BoltWriter bolt, StoreHistory history)
    {
        // No entry of the Raft log is in here; the restoring tool sets what it makes up for the log.
        bolt.Put("consistent_index"u8, new byte[sizeof(ulong)]);
        if (history.OldestRevision <= 1)
            return;
        Span<byte> compacted = stackalloc byte[RevisionBytes];
        // The revisions after this one are kept whole. If none is kept it stands for the store's revision itself.
        WriteRevision(compacted, history.OldestRevision - 1, 0);
        bolt.Put("finishedCompactRev"u8, compacted);
        bolt.Put("scheduledCompactRev"u8, compacted);
    }

    private static void WriteRevision(Span<byte> destination, long revision, long position)
    {
        BinaryPrimitives.WriteInt64BigEndian(destination, EtcdRevision.ToEtcd(revision));
        destination[8] = (byte)'_';
        BinaryPrimitives.WriteInt64BigEndian(destination[9..], position);
    }

    private static async Task AppendHashAsync(FileStream file, CancellationToken cancellationToken)
    {
        file.Position = 0;
        byte[] hash = await SHA256.HashDataAsync(file, cancellationToken).ConfigureAwait(false);
        await file.WriteAsync(hash, cancellationToken).ConfigureAwait(false);
    }
}
