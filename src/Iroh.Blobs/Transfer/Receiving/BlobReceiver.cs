using System.Buffers;
using System.Buffers.Binary;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Transfer.Receiving;

/// <summary>
/// Brings the verified stream of one blob from a response into a store. Nothing is stored before it is proven. While the blob's size is only
/// claimed, what came is held back, as far as that is little, so that a source that lies about sizes leaves nothing behind. One owner.
/// </summary>
internal sealed class BlobReceiver : IDisposable
{
    /// <summary>The most content that is held back until the size is proven: what a size probe asks for, and a group.</summary>
    public const int HeldBytesMax = 128 * 1024;

    /// <summary>Neighbouring leaves are written together up to this length: one write for sixteen groups.</summary>
    private const int RunBytesMax = 256 * 1024;

    private readonly ResponseReader _input;
    private readonly IBlobWriter _writer;
    private readonly string _source;
    private readonly byte[] _run = ArrayPool<byte>.Shared.Rent(RunBytesMax);
    private readonly List<(long Offset, byte[] Bytes, bool IsPair)> _held = [];
    private int _heldBytes;
    private long _runOffset;
    private int _runLength;
    private bool _holdsBack;

    /// <summary>Receives a blob of which the next bytes of the response are the size.</summary>
    /// <param name="input">The response; the caller's.</param>
    /// <param name="writer">Where to; the caller's.</param>
    /// <param name="source">Who sends, for errors.</param>
    public BlobReceiver(ResponseReader input, IBlobWriter writer, string source) => (_input, _writer, _source) = (input, writer, source);

    /// <summary>Called when content was stored: up to which offset in the blob, and how many bytes. Null = nobody wants to know.</summary>
    public Action<ulong, int>? OnStored { get; init; }

    /// <summary>Asked after each leaf: false ends the receiving there. Null = all that was asked for is wanted.</summary>
    public Func<ulong, bool>? IsWanted { get; init; }

    /// <summary>The size that the source claims; proven when everything that was asked for came and the last chunk was in it.</summary>
    public ulong Size { get; private set; }

    /// <summary>Whether <see cref="Size"/> is proven.</summary>
    public bool IsSizeProven { get; private set; }

    /// <summary>Receives the blob.</summary>
    /// <param name="ranges">What was asked for.</param>
    /// <param name="provenSize">The blob's size if that is known; another one is a lie.</param>
    /// <param name="cancellationToken">Ends writes to the store; reads end with the response's watch.</param>
    /// <returns>True if all that was asked for is stored; false if <see cref="IsWanted"/> ended it before.</returns>
    /// <exception cref="BlobTransferException">The source does not have it all, or sent something else.</exception>
    /// <exception cref="BlobStoreException">The store failed.</exception>
    public async Task<bool> ReceiveAsync(ChunkRanges ranges, ulong? provenSize, CancellationToken cancellationToken)
    {
        if (!await _input.FillAsync(sizeof(ulong)).ConfigureAwait(false))
            throw Failed(BlobTransferFailure.NotFound, _input.Available == 0 ? "does not have it" : "ended its response in the middle of the size");
        Size = BinaryPrimitives.ReadUInt64LittleEndian(_input.Take(sizeof(ulong)).Span);
        IsSizeProven = provenSize is not null;
        _holdsBack = !IsSizeProven;
        if (provenSize is { } proven && proven != Size)
            throw Failed(BlobTransferFailure.Lying, $"claims {Size} bytes instead of {proven}");
        if (Size > BlobStoreOptions.BlobSizeMax)
            throw Failed(BlobTransferFailure.Lying, $"claims {Size} bytes, more than any blob may have ({BlobStoreOptions.BlobSizeMax})");
        var decoder = new BaoDecoder(_writer.Hash, Size, ranges);
        try
        {
            while (decoder.NeededLength is int needed and > 0)
            {
                if (_input.Available < needed && !await _input.FillAsync(needed).ConfigureAwait(false))
                    throw Failed(BlobTransferFailure.NotFound, $"ended its response at byte {decoder.Needed.Offset} of {Size}");
                ReadOnlyMemory<byte> bytes = _input.Take(needed);
                if (!decoder.TryAccept(bytes.Span, out BaoItem item))
                    break;
                IsSizeProven |= decoder.IsSizeProven;
                if (item.Kind == BaoItemKind.Leaf)
                    await TakeLeafAsync(item, bytes, cancellationToken).ConfigureAwait(false);
                else if (!item.IsInGroup)
                    await TakePairAsync(item.OutboardOffset, bytes, cancellationToken).ConfigureAwait(false);
                if (item.Kind == BaoItemKind.Leaf && IsWanted?.Invoke((ulong)(item.Offset + item.Length)) == false)
                    return decoder.State == BaoDecoderState.Complete;
            }
        }
        finally
        {
            // What is proven is kept, however this ends.
            await FlushAsync(CancellationToken.None).ConfigureAwait(false);
        }

        if (decoder.State == BaoDecoderState.HashMismatch)
            throw Failed(BlobTransferFailure.Lying, $"sent bytes at {decoder.Needed.Offset} of {Size} that do not belong to the blob");
        IsSizeProven |= Size == 0;
        await LetHeldGoAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<byte>.Shared.Return(_run);

    private async ValueTask TakePairAsync(long outboardOffset, ReadOnlyMemory<byte> pair, CancellationToken cancellationToken)
    {
        if (!_holdsBack)
            await _writer.WritePairAsync(Size, outboardOffset, pair, cancellationToken).ConfigureAwait(false);
        else
            Hold(outboardOffset, pair, isPair: true);
    }

    private async ValueTask TakeLeafAsync(BaoItem leaf, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        if (!_holdsBack)
        {
            if (_runLength > 0 && (leaf.Offset != _runOffset + _runLength || _runLength + content.Length > RunBytesMax))
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            if (_runLength == 0)
                _runOffset = leaf.Offset;
            content.CopyTo(_run.AsMemory(_runLength));
            _runLength += content.Length;
            return;
        }

        Hold(leaf.Offset, content, isPair: false);

        // Either it is proven now, or this is too much to wait for: the store takes it for a claim.
        if (IsSizeProven || _heldBytes > HeldBytesMax)
        {
            await LetHeldGoAsync(cancellationToken).ConfigureAwait(false);
            _holdsBack = false;
        }
    }

    private void Hold(long offset, ReadOnlyMemory<byte> bytes, bool isPair)
    {
        _held.Add((offset, bytes.ToArray(), isPair));
        _heldBytes += bytes.Length;
    }

    /// <summary>Writes what was held back: the last chunk first, since a proven size replaces a wrong claim that came before.</summary>
    private async ValueTask LetHeldGoAsync(CancellationToken cancellationToken)
    {
        foreach ((long offset, byte[] bytes, _) in _held.Where(static held => held.IsPair))
            await _writer.WritePairAsync(Size, offset, bytes, cancellationToken).ConfigureAwait(false);
        foreach ((long offset, byte[] bytes, _) in _held.Where(static held => !held.IsPair).OrderByDescending(static held => held.Offset))
            await WriteAsync(offset, bytes, cancellationToken).ConfigureAwait(false);
        _held.Clear();
        _heldBytes = 0;
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (_runLength == 0)
            return;
        int length = _runLength;
        _runLength = 0;
        await WriteAsync(_runOffset, _run.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await _writer.WriteLeafAsync(Size, offset, content, cancellationToken).ConfigureAwait(false);
        OnStored?.Invoke((ulong)(offset + content.Length), content.Length);
    }

    private BlobTransferException Failed(BlobTransferFailure failure, string what) =>
        new(failure, _writer.Hash, _source, $"{_source} {what}: blob {_writer.Hash}");
}
