using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Blobs;

namespace Iroh.Docs.Live;

/// <summary>
/// What replicas of a document tell each other over gossip, one per message (postcard): a variant (0 entry, 1 content, 2 heads), then its fields.
/// Immutable.
/// </summary>
internal abstract record LiveOp
{
    private const uint PutVariant = 0;
    private const uint ContentReadyVariant = 1;
    private const uint HeadsVariant = 2;

    // Variant, document, and the length of the heads.
    private const int HeadsOverhead = 1 + NamespaceId.Length + 3;

    private LiveOp()
    {
    }

    /// <summary>Reads a message; what follows the op is ignored. Signatures are not verified.</summary>
    public static bool TryRead(ReadOnlySpan<byte> content, [NotNullWhen(true)] out LiveOp? op)
    {
        op = null;
        var reader = new PostcardReader(content);
        if (!reader.TryReadUInt32(out uint variant))
            return false;
        switch (variant)
        {
            case PutVariant:
                if (SignedEntry.TryRead(ref reader, out SignedEntry? entry))
                    op = new Put(entry);
                break;
            case ContentReadyVariant:
                if (reader.TryReadFixed(BlobHash.Length, out ReadOnlySpan<byte> hash))
                    op = new ContentReady(new BlobHash(hash));
                break;
            case HeadsVariant:
                if (reader.TryReadFixed(NamespaceId.Length, out ReadOnlySpan<byte> document)
                    && reader.TryReadBytes(out ReadOnlySpan<byte> bytes)
                    && AuthorHeads.TryRead(bytes, out AuthorHeads? heads))
                    op = new Heads(new NamespaceId(document), heads);
                break;
        }

        return op is not null;
    }

    /// <summary>The message; null if it would be longer than allowed. Of heads the oldest are left out instead.</summary>
    /// <param name="lengthMax">Bytes that gossip carries.</param>
    public byte[]? Encode(int lengthMax)
    {
        var writer = new PostcardWriter();
        Write(writer, lengthMax);
        return writer.Written.Length <= lengthMax ? writer.ToArray() : null;
    }

    private protected abstract void Write(PostcardWriter writer, int lengthMax);

    /// <summary>An entry was made.</summary>
    /// <param name="Entry">Which.</param>
    public sealed record Put(SignedEntry Entry) : LiveOp
    {
        private protected override void Write(PostcardWriter writer, int lengthMax)
        {
            writer.WriteVarint(PutVariant);
            Entry.Write(writer);
        }
    }

    /// <summary>The sender has a content now.</summary>
    /// <param name="Content">Which.</param>
    public sealed record ContentReady(BlobHash Content) : LiveOp
    {
        private protected override void Write(PostcardWriter writer, int lengthMax)
        {
            writer.WriteVarint(ContentReadyVariant);
            writer.WriteFixed(Content.ToArray());
        }
    }

    /// <summary>The newest entries of the sender, after it got some.</summary>
    /// <param name="Document">Of which document.</param>
    /// <param name="Newest">By author.</param>
    public sealed record Heads(NamespaceId Document, AuthorHeads Newest) : LiveOp
    {
        private protected override void Write(PostcardWriter writer, int lengthMax)
        {
            writer.WriteVarint(HeadsVariant);
            writer.WriteFixed(Document.Span);
            writer.WriteBytes(Newest.Encode(Math.Max(1, lengthMax - HeadsOverhead)));
        }
    }
}
