using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store.Backends;

namespace Iroh.Blobs.Store.Disk;

/// <summary>The files of an import, below <c>temp</c> until they are published.</summary>
/// <param name="backend">Where they go.</param>
/// <param name="path">Their path, without endings.</param>
/// <param name="reference">See <see cref="IBlobBackend.BeginImport"/>.</param>
internal sealed class DiskImport(DiskBackend backend, string path, FileReference? reference) : IBlobImport
{
    private readonly List<(string Path, IBlobFile File)> _open = [];
    private DiskBlobFile? _data;
    private DiskBlobFile? _outboard;
    private DiskBlobFile? _pairs;

    public IBlobFile Data => _data ??= Make("data");

    public IBlobFile Outboard => _outboard ??= Make("outboard");

    public IBlobFile Pairs => _pairs ??= Make("pairs");

    public async ValueTask<StoredBlob> PublishAsync(BlobHash hash, long size)
    {
        if (backend.FlushesToDisk)
        {
            await Task.Run(() =>
            {
                _data?.Flush();
                Outboard.Flush();
            }).ConfigureAwait(false);
        }

        long length = Outboard.Length;
        byte[]? inline = length <= BlobStoreOptions.InlineBytesMax ? new byte[length] : null;
        if (inline is not null)
            Outboard.Read(0, inline);
        backend.MakeFolder(hash);
        if (reference is not null)
            return await PublishReferenceAsync(hash, size, inline).ConfigureAwait(false);

        // The record makes a partial blob of what has its name already, if the process dies before the row is there.
        backend.WriteRecord(hash, (ulong)size, ChunkRanges.Empty, isClean: false, flush: false);
        backend.Step("publish: outboard");
        File.Move(path + ".outboard", backend.Files.Outboard(hash), overwrite: true);
        backend.Step("publish: data");
        File.Move(path + ".data", backend.Files.Data(hash), overwrite: true);
        return await backend.CommitOwnedAsync(hash, size, inline).ConfigureAwait(false);
    }

    public void Dispose()
    {
        foreach ((string name, IBlobFile file) in _open)
        {
            file.Dispose();
            File.Delete(name);
        }
    }

    private async ValueTask<StoredBlob> PublishReferenceAsync(BlobHash hash, long size, byte[]? inline)
    {
        var blob = new StoredBlob(size, ContentPlace.Reference, inline is null ? OutboardPlace.Owned : OutboardPlace.Inline, reference);
        if (inline is null)
        {
            backend.Step("publish: outboard");
            File.Move(path + ".outboard", backend.Files.Outboard(hash), overwrite: true);
            backend.FlushNames(backend.Files.Folder(hash));
        }

        backend.Step("publish: row");
        await backend.Index.ChangeAsync(index =>
        {
            BlobRows.WriteBlob(index, hash, blob);
            if (inline is not null)
                BlobRows.WriteOutboard(index, hash, inline);
        }).ConfigureAwait(false);
        backend.TidyCompleted(hash, blob);
        return blob;
    }

    private DiskBlobFile Make(string ending)
    {
        DiskBlobFile file = DiskBlobFile.Open($"{path}.{ending}", FileMode.Create, step: backend.OnStep);
        _open.Add(($"{path}.{ending}", file));
        return file;
    }
}
