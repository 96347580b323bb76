using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Iroh.Cryptography;

namespace Blixard.Cluster.Store.Backup;

/// <summary>
/// Reads a backup, entry by entry, in little memory. What it has given is only to be believed when <see cref="TryRead"/> has
/// said that there is no more: the checksum stands at the end. Not thread-safe.
/// </summary>
public sealed class StoreBackupReader
{
    // Strict: bytes that are no UTF-8 are no key.
    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Stream _source;
    private readonly Blake3Hasher _hasher = new();
    private byte[] _body = new byte[4096];
    private byte[] _lastKey = [];
    private long _entries;
    private bool _isAtEnd;

    /// <summary>Reads the beginning.</summary>
    /// <param name="source">Read from its position to its end; stays the caller's.</param>
    /// <exception cref="StoreBackupException">It is no backup, or none that this version can read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public StoreBackupReader(Stream source)
    {
        ArgumentNullException.ThrowIfNull(source);
        _source = source;
        Span<byte> start = stackalloc byte[StoreBackupFormat.Magic.Length];
        if (source.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) < start.Length || !start.SequenceEqual(StoreBackupFormat.Magic))
            throw new StoreBackupException(StoreBackupFailure.NotABackup, "is no backup of a Blixard store");
        _hasher.Update(start);
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(Read(4));
        if (version != StoreBackupFormat.Version)
        {
            throw new StoreBackupException(
                StoreBackupFailure.UnknownVersion, $"is a backup in the format {version}; this version reads format {StoreBackupFormat.Version}. Use a newer blixard");
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(Read(4));
        if (length is < StoreBackupFormat.HeaderFixedBytes or > StoreBackupFormat.HeaderBytesMax)
            throw Damaged("its header has an impossible length");
        Header = ReadHeader(Read((int)length));
    }

    /// <summary>What the backup says of itself.</summary>
    public StoreBackupHeader Header { get; }

    /// <summary>The next entry; false at the end, when the checksum has been found right.</summary>
    /// <exception cref="StoreBackupException">The file ends too early or was altered.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public bool TryRead([NotNullWhen(true)] out StoreEntry? entry)
    {
        entry = null;
        if (_isAtEnd)
            return false;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(Read(4));
        if (length == 0)
        {
            ReadEnd();
            _isAtEnd = true;
            return false;
        }

        if (length is < StoreBackupFormat.EntryFixedBytes or > StoreBackupFormat.EntryBytesMax)
            throw Damaged("an entry has an impossible length");
        entry = ReadEntry(Read((int)length));
        _entries++;
        return true;
    }

    /// <summary>Whether a key can have such a history in a store of this revision. A key is written at most once a revision.</summary>
    internal static bool AreRevisionsPossible(long create, long mod, long version, long revision) =>
        create >= 1 && mod >= create && mod <= revision && version >= 1 && version - 1 <= mod - create;

    private static StoreBackupException Damaged(string what) => new(StoreBackupFailure.Damaged, $"was altered: {what}");

    private static StoreBackupHeader ReadHeader(ReadOnlySpan<byte> body)
    {
        long revision = BinaryPrimitives.ReadInt64LittleEndian(body);
        long time = BinaryPrimitives.ReadInt64LittleEndian(body[8..]);
        ReadOnlySpan<byte> texts = body[StoreBackupFormat.HeaderFixedBytes..];
        string clusterId = ReadText(ref texts), engine = ReadText(ref texts);
        if (texts.Length > 0)
            throw Damaged("its header is too long");
        if (revision < 0)
            throw Damaged("its revision is below zero");
        if (time < DateTimeOffset.MinValue.ToUnixTimeMilliseconds() || time > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
            throw Damaged("its time is none");
        return new StoreBackupHeader(clusterId, engine, revision, DateTimeOffset.FromUnixTimeMilliseconds(time));
    }

    private static string ReadText(ref ReadOnlySpan<byte> texts)
    {
        if (texts.Length == 0 || texts[0] is 0 or > StoreBackupFormat.TextBytesMax || texts[0] > texts.Length - 1)
            throw Damaged("a text in its header has an impossible length");
        string text = ReadUtf8(texts.Slice(1, texts[0]));
        texts = texts[(1 + texts[0])..];
        return text;
    }

    private static string ReadUtf8(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return s_utf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Damaged("a text in it is no UTF-8");
        }
    }

    private StoreEntry ReadEntry(ReadOnlySpan<byte> body)
    {
        long create = BinaryPrimitives.ReadInt64LittleEndian(body);
        long mod = BinaryPrimitives.ReadInt64LittleEndian(body[8..]);
        long version = BinaryPrimitives.ReadInt64LittleEndian(body[16..]);
        int keyLength = BinaryPrimitives.ReadUInt16LittleEndian(body[24..]);
        ReadOnlySpan<byte> rest = body[StoreBackupFormat.EntryFixedBytes..];
        if (keyLength is 0 or > StoreLimits.KeyBytesMax || keyLength > rest.Length || rest.Length - keyLength > StoreLimits.ValueBytesMax)
            throw Damaged("a key or value has an impossible length");
        ReadOnlySpan<byte> key = rest[..keyLength];
        if (key.SequenceCompareTo(_lastKey) <= 0)
            throw Damaged("its keys are not in order");
        if (!AreRevisionsPossible(create, mod, version, Header.Revision))
            throw Damaged("a key has revisions that cannot be");
        _lastKey = key.ToArray();
        return new StoreEntry(ReadUtf8(key), rest[keyLength..].ToArray(), create, mod, version);
    }

    private void ReadEnd()
    {
        if (BinaryPrimitives.ReadInt64LittleEndian(Read(8)) != _entries)
            throw Damaged("the number of its entries is not right");
        Span<byte> expected = stackalloc byte[StoreBackupFormat.HashBytes], found = stackalloc byte[StoreBackupFormat.HashBytes];
        _hasher.Finish(expected);
        if (_source.ReadAtLeast(found, found.Length, throwOnEndOfStream: false) < found.Length)
            throw Truncated();
        if (!CryptographicOperations.FixedTimeEquals(expected, found))
            throw Damaged("its checksum is not right");
        if (_source.ReadByte() >= 0)
            throw Damaged("something follows its end");
    }

    private static StoreBackupException Truncated() => new(StoreBackupFailure.Truncated, "ends too early: it was not copied whole");

    // The bytes are valid until the next call. The length is one that was checked.
    private ReadOnlySpan<byte> Read(int length)
    {
        if (_body.Length < length)
            _body = new byte[length];
        Span<byte> bytes = _body.AsSpan(0, length);
        if (_source.ReadAtLeast(bytes, length, throwOnEndOfStream: false) < length)
            throw Truncated();
        _hasher.Update(bytes);
        return bytes;
    }
}
