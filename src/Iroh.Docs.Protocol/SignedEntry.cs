using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Blobs;
using Iroh.Cryptography;

namespace Iroh.Docs;

/// <summary>
/// An entry of a document with the two signatures that make it one: the author's and the document's, both over
/// name ‖ length (64 bits, big-endian) ‖ hash ‖ timestamp (64 bits, big-endian). Immutable and thread-safe. On the wire: author's signature,
/// document's signature, name, record.
/// </summary>
public sealed class SignedEntry
{
    private readonly byte[] _authorSignature;
    private readonly byte[] _documentSignature;
    private byte[]? _fingerprint;

    /// <summary>An entry from its parts; nothing is verified.</summary>
    /// <param name="key">Its name.</param>
    /// <param name="record">What it says.</param>
    /// <param name="authorSignature">64 bytes, copied.</param>
    /// <param name="documentSignature">64 bytes, copied.</param>
    public SignedEntry(RecordKey key, EntryRecord record, ReadOnlySpan<byte> authorSignature, ReadOnlySpan<byte> documentSignature)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentOutOfRangeException.ThrowIfNotEqual(authorSignature.Length, Ed25519.SignatureLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(documentSignature.Length, Ed25519.SignatureLength);
        Key = key;
        Record = record;
        _authorSignature = authorSignature.ToArray();
        _documentSignature = documentSignature.ToArray();
    }

    /// <summary>Document, author and key.</summary>
    public RecordKey Key { get; }

    /// <summary>Content and time.</summary>
    public EntryRecord Record { get; }

    /// <summary>The author's signature.</summary>
    public ReadOnlySpan<byte> AuthorSignature => _authorSignature;

    /// <summary>The signature with the document's secret.</summary>
    public ReadOnlySpan<byte> DocumentSignature => _documentSignature;

    /// <summary>The content.</summary>
    public BlobHash ContentHash => Record.Hash;

    /// <summary>Bytes of the content, by the author's word.</summary>
    public ulong ContentLength => Record.Length;

    /// <summary>Whether this is a deletion.</summary>
    public bool IsEmpty => Record.IsEmpty;

    /// <summary>This entry's part of a set's fingerprint.</summary>
    public EntryFingerprint Fingerprint
    {
        get
        {
            byte[] fingerprint = _fingerprint ??= EntryFingerprint.OfEntry(Key, Record).Span.ToArray();
            return new EntryFingerprint(fingerprint);
        }
    }

    /// <summary>Makes an entry.</summary>
    /// <param name="document">The right to write.</param>
    /// <param name="author">Who writes.</param>
    /// <param name="key">At most <see cref="RecordKey.KeyLengthMax"/> bytes.</param>
    /// <param name="record">What the key has now.</param>
    public static SignedEntry Sign(NamespaceSecret document, Author author, ReadOnlySpan<byte> key, EntryRecord record)
    {
        ArgumentNullException.ThrowIfNull(document);
        ArgumentNullException.ThrowIfNull(author);
        var name = new RecordKey(document.Id, author.Id, key);
        byte[] message = SignedBytes(name, record);
        return new SignedEntry(name, record, author.Sign(message), document.Sign(message));
    }

    /// <summary>Reads the wire form; the signatures are not verified.</summary>
    public static bool TryRead(ref PostcardReader reader, [NotNullWhen(true)] out SignedEntry? entry)
    {
        entry = null;
        if (!reader.TryReadFixed(Ed25519.SignatureLength, out ReadOnlySpan<byte> author)
            || !reader.TryReadFixed(Ed25519.SignatureLength, out ReadOnlySpan<byte> document)
            || !RecordKey.TryRead(ref reader, out RecordKey? key)
            || !EntryRecord.TryRead(ref reader, out EntryRecord record))
            return false;
        entry = new SignedEntry(key, record, author, document);
        return true;
    }

    /// <summary>Appends the wire form.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteFixed(_authorSignature);
        writer.WriteFixed(_documentSignature);
        Key.Write(writer);
        Record.Write(writer);
    }

    /// <summary>Whether both signatures are right, by the strict rule. About a fifth of a millisecond.</summary>
    public bool Verify()
    {
        byte[] message = SignedBytes(Key, Record);
        return Key.Document.Verify(message, _documentSignature) && Key.Author.Verify(message, _authorSignature);
    }

    /// <summary>The bytes that both keys sign.</summary>
    public static byte[] SignedBytes(RecordKey key, EntryRecord record)
    {
        ArgumentNullException.ThrowIfNull(key);
        int name = key.Span.Length;
        byte[] bytes = new byte[name + sizeof(ulong) + BlobHash.Length + sizeof(ulong)];
        key.Span.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(name), record.Length);
        record.Hash.CopyTo(bytes.AsSpan(name + sizeof(ulong)));
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(name + sizeof(ulong) + BlobHash.Length), record.Timestamp.Microseconds);
        return bytes;
    }

    /// <summary>The name.</summary>
    public override string ToString() => Key.ToString();
}
