using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Backends;

namespace Iroh.Blobs.Store.Imports;

/// <summary>
/// Hashes an import and writes its outboard: pairs go where they belong at once if the size is known; else they are kept in a file in the
/// order in which they came, and put in their places at the end. Memory does not grow with the import.
/// </summary>
internal sealed class ImportHashing
{
    private const int PlacingLength = 64 * 1024;

    private readonly OutboardBuilder _builder = new();
    private readonly IBlobImport _import;
    private readonly IEnumerator<long>? _places;
    private readonly long? _expectedSize;
    private long _pairsLength;

    public ImportHashing(IBlobImport import, long? size)
    {
        _import = import;
        _expectedSize = size;
        _places = size is { } known ? BaoTree.PairOffsetsAsHashed((ulong)known).GetEnumerator() : null;
    }

    /// <summary>Bytes so far.</summary>
    public long Size => (long)_builder.Size;

    public void Update(ReadOnlySpan<byte> content)
    {
        _builder.Update(content);
        TakePairs();
    }

    /// <returns>The hash. The outboard is written.</returns>
    public BlobHash Finish()
    {
        BlobHash hash = _builder.Finish();
        TakePairs();
        _places?.Dispose();
        if (_places is null)
            PlacePairs();
        return hash;
    }

    private void TakePairs()
    {
        ReadOnlySpan<byte> pairs = _builder.FinishedPairs;
        if (_places is null)
        {
            _import.Pairs.Write(_pairsLength, pairs);
            _pairsLength += pairs.Length;
        }
        else
        {
            // A file that grows while it is read has more pairs than places; the importer finds that out by the size.
            for (; !pairs.IsEmpty && Size <= _expectedSize && _places.MoveNext(); pairs = pairs[BaoTree.PairLength..])
                _import.Outboard.Write(_places.Current, pairs[..BaoTree.PairLength]);
        }

        _builder.ClearFinishedPairs();
    }

    private void PlacePairs()
    {
        var buffer = new byte[PlacingLength];
        int have = 0, used = 0;
        long next = 0;
        foreach (long offset in BaoTree.PairOffsetsAsHashed((ulong)Size))
        {
            if (used == have)
            {
                have = _import.Pairs.Read(next, buffer);
                next += have;
                used = 0;
            }

            _import.Outboard.Write(offset, buffer.AsSpan(used, BaoTree.PairLength));
            used += BaoTree.PairLength;
        }
    }
}
