using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Sync;

/// <summary>Why an acceptor ends a sync instead of answering. The numbers are those of the wire.</summary>
public enum SyncAbortReason
{
    /// <summary>The document is not here, not synced, or not for this peer.</summary>
    NotFound = 0,

    /// <summary>The two are syncing this document already; nothing is wrong.</summary>
    AlreadySyncing = 1,

    /// <summary>Something failed at the acceptor.</summary>
    InternalError = 2,
}

/// <summary>
/// What goes over the stream of a sync, one per frame (32-bit big-endian length before it): <see cref="Init"/> (variant 0),
/// <see cref="Round"/> (1) or <see cref="Abort"/> (2). Immutable.
/// </summary>
public abstract record SyncMessage
{
    private SyncMessage()
    {
    }

    /// <summary>Reads a frame's content; bytes behind the message are ignored.</summary>
    public static bool TryRead(ReadOnlySpan<byte> frame, [NotNullWhen(true)] out SyncMessage? message)
    {
        message = null;
        var reader = new PostcardReader(frame);
        if (!reader.TryReadUInt32(out uint variant))
            return false;
        switch (variant)
        {
            case 0:
                if (reader.TryReadFixed(NamespaceId.Length, out ReadOnlySpan<byte> document)
                    && ReconciliationMessage.TryRead(ref reader, out ReconciliationMessage? first))
                    message = new Init(new NamespaceId(document), first);
                break;
            case 1:
                if (ReconciliationMessage.TryRead(ref reader, out ReconciliationMessage? next))
                    message = new Round(next);
                break;
            case 2:
                if (reader.TryReadUInt32(out uint reason) && reason <= (uint)SyncAbortReason.InternalError)
                    message = new Abort((SyncAbortReason)reason);
                break;
        }

        return message is not null;
    }

    /// <summary>The frame's content.</summary>
    public byte[] Encode()
    {
        var writer = new PostcardWriter();
        Write(writer);
        return writer.ToArray();
    }

    /// <summary>Appends the frame's content.</summary>
    private protected abstract void Write(PostcardWriter writer);

    /// <summary>The dialler's first message.</summary>
    /// <param name="Document">What to sync.</param>
    /// <param name="Message">The beginning of the reconciliation.</param>
    public sealed record Init(NamespaceId Document, ReconciliationMessage Message) : SyncMessage
    {
        private protected override void Write(PostcardWriter writer)
        {
            writer.WriteVarint(0);
            writer.WriteFixed(Document.Span);
            Message.Write(writer);
        }
    }

    /// <summary>Every further message of either side.</summary>
    /// <param name="Message">The next step of the reconciliation.</param>
    public sealed record Round(ReconciliationMessage Message) : SyncMessage
    {
        private protected override void Write(PostcardWriter writer)
        {
            writer.WriteVarint(1);
            Message.Write(writer);
        }
    }

    /// <summary>The acceptor's refusal.</summary>
    /// <param name="Reason">Why.</param>
    public sealed record Abort(SyncAbortReason Reason) : SyncMessage
    {
        private protected override void Write(PostcardWriter writer)
        {
            writer.WriteVarint(2);
            writer.WriteVarint((ulong)Reason);
        }
    }
}
