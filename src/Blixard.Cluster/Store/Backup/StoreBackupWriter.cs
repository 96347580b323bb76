using System.Buffers.Binary;
using System.Text;
using Blixard.V1;
using Iroh.Cryptography;

namespace Blixard.Cluster.Store.Backup;

/// <summary>Writes a backup, entry by entry, in little memory. Not thread-safe. Only what <see cref="Complete"/> ended is one.</summary>
public sealed class StoreBackupWriter
{
    private readonly Stream _destination;
    private readonly Blake3Hasher _hasher = new();
    private readonly long _revision;
    private byte[] _lastKey = [];

    /// <summary>Writes the beginning.</summary>
    /// <param name="destination">Written from its position on; stays the caller's, who flushes it.</param>
    /// <param name="header">What the backup says of itself.</param>
    /// <exception cref="ArgumentException">A text of the header is empty or too long, or the revision is below zero.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public StoreBackupWriter(Stream destination, StoreBackupHeader header)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(header);
        ArgumentOutOfRangeException.ThrowIfNegative(header.Revision);
        _destination = destination;
        _revision = header.Revision;
        byte[] clusterId = Text(header.ClusterId), engine = Text(header.Engine);
        Write(StoreBackupFormat.Magic);
        Span<byte> fixedPart = stackalloc byte[4 + 4 + StoreBackupFormat.HeaderFixedBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(fixedPart, StoreBackupFormat.Version);
        BinaryPrimitives.WriteInt32LittleEndian(fixedPart[4..], StoreBackupFormat.HeaderFixedBytes + 2 + clusterId.Length + engine.Length);
        BinaryPrimitives.WriteInt64LittleEndian(fixedPart[8..], header.Revision);
        BinaryPrimitives.WriteInt64LittleEndian(fixedPart[16..], header.Time.ToUnixTimeMilliseconds());
        Write(fixedPart);
        Write([(byte)clusterId.Length, .. clusterId, (byte)engine.Length, .. engine]);
    }

    /// <summary>Entries written so far.</summary>
    public long Entries { get; private set; }

    /// <summary>Bytes written so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Writes one entry; entries come in the order of their keys' bytes. An entry with a lease is left out: it is a sign
    /// of life of the moment.</summary>
    /// <exception cref="ArgumentException">The entry cannot be one of this store as of the header's revision, or its order is not kept.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Append(StoreEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (entry.Lease != 0)
            return;
        byte[] key = Encoding.UTF8.GetBytes(entry.Key);
        if (key.Length is 0 or > StoreLimits.KeyBytesMax || entry.Value.Length > StoreLimits.ValueBytesMax || key.AsSpan().SequenceCompareTo(_lastKey) <= 0)
            throw new ArgumentException($"'{entry.Key}' has no place in the backup: its length, or its order.", nameof(entry));
        if (!StoreBackupReader.AreRevisionsPossible(entry.CreateRevision, entry.ModRevision, entry.Version, _revision))
            throw new ArgumentException($"'{entry.Key}' has revisions that cannot be.", nameof(entry));
        _lastKey = key;
        Span<byte> fixedPart = stackalloc byte[4 + StoreBackupFormat.EntryFixedBytes];
        BinaryPrimitives.WriteInt32LittleEndian(fixedPart, StoreBackupFormat.EntryFixedBytes + key.Length + entry.Value.Length);
        BinaryPrimitives.WriteInt64LittleEndian(fixedPart[4..], entry.CreateRevision);
        BinaryPrimitives.WriteInt64LittleEndian(fixedPart[12..], entry.ModRevision);
        BinaryPrimitives.WriteInt64LittleEndian(fixedPart[20..], entry.Version);
        BinaryPrimitives.WriteUInt16LittleEndian(fixedPart[28..], (ushort)key.Length);
        Write(fixedPart);
        Write(key);
        Write(entry.Value.Span);
        Entries++;
    }

    /// <summary>Writes the entries of one page of an answer of the <c>Store</c> service.</summary>
    /// <exception cref="IOException">It cannot be written, or the page is not one of the backup's revision, or does not follow the one before.</exception>
    public void Append(RangeResponse page)
    {
        ArgumentNullException.ThrowIfNull(page);
        if (page.Revision != _revision)
            throw new IOException("the node answered with keys of different revisions");
        try
        {
            foreach (KeyValue entry in page.Kvs)
                Append(StoreMessages.ToEntry(entry));
        }
        catch (ArgumentException exception)
        {
            throw new IOException($"the node answered with something that cannot be: {exception.Message}", exception);
        }
    }

    /// <summary>Writes the end with the checksum. Nothing may be written afterwards.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Complete()
    {
        Span<byte> end = stackalloc byte[4 + 8];
        end.Clear();
        BinaryPrimitives.WriteInt64LittleEndian(end[4..], Entries);
        Write(end);
        Span<byte> hash = stackalloc byte[StoreBackupFormat.HashBytes];
        _hasher.Finish(hash);
        _destination.Write(hash);
        Bytes += hash.Length;
    }

    private static byte[] Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return bytes.Length is > 0 and <= StoreBackupFormat.TextBytesMax
            ? bytes
            : throw new ArgumentException($"A backup names its cluster and engine in 1 to {StoreBackupFormat.TextBytesMax} bytes; '{text}' has {bytes.Length}.");
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        _destination.Write(bytes);
        _hasher.Update(bytes);
        Bytes += bytes.Length;
    }
}
