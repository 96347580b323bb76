using Blixard.Containers.Archives;
using Blixard.Containers.Images;
using Blixard.Containers.Tree;

namespace Blixard.Containers.Layers;

/// <summary>
/// Reads the layers of an image: once to build the tree, and once more to hand out the content of the files that are in it. So nothing is
/// kept but metadata, and nothing is extracted. Not thread-safe.
/// </summary>
internal sealed class LayerReader(ImageArchive archive, ContainerImage image, IProgress<ImportProgress>? progress)
{
    // All together; those of real images have a few kilobytes in each of some layers.
    private const int AccountFileLengthMax = 1 << 20;

    private const int ReportEvery = 4 << 20;

    private readonly Dictionary<ContentPlace, byte[]> _accountFiles = [];

    /// <summary>The content of <c>etc/passwd</c> and <c>etc/group</c>, wherever they are, kept by <see cref="Flatten"/>, for finding users.</summary>
    public IReadOnlyDictionary<ContentPlace, byte[]> AccountFiles => _accountFiles;

    /// <summary>Reads all layers into a tree, and checks their digests.</summary>
    /// <exception cref="ContainerImageException">A layer is refused; the message names it.</exception>
    /// <exception cref="OperationCanceledException">The token ended it.</exception>
    public RootTree Flatten(CancellationToken cancellationToken)
    {
        var tree = new RootTree();
        var applier = new LayerApplier(tree);
        int accountBytes = 0;
        ReadAll("reading layers", (reader, entry, place) =>
        {
            applier.Apply(entry, place);
            if (entry.Kind != TarEntryKind.File || entry.Size > AccountFileLengthMax - accountBytes
                || !(entry.Path.EndsWith("etc/passwd", StringComparison.Ordinal) || entry.Path.EndsWith("etc/group", StringComparison.Ordinal)))
                return;
            byte[] content = new byte[entry.Size];
            for (int at = 0; at < content.Length;)
                at += reader.ReadContent(content.AsSpan(at));
            _accountFiles[place] = content;
            accountBytes += content.Length;
        }, cancellationToken);
        return tree;
    }

    /// <summary>Reads all layers again and hands out the content of the files that are asked for.</summary>
    /// <param name="wanted">By place; what is not in it is skipped.</param>
    /// <param name="write">Gets what, the offset in the file, and bytes that are good until it returns.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ContainerImageException">The archive has changed since it was read first.</exception>
    public void CopyContent<T>(IReadOnlyDictionary<ContentPlace, T> wanted, ContentSink<T> write, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[256 << 10];
        ReadAll("writing the disk", (reader, entry, place) =>
        {
            if (!wanted.TryGetValue(place, out T? target))
                return;
            long offset = 0;
            for (int count; (count = reader.ReadContent(buffer)) > 0; offset += count)
                write(target, offset, buffer.AsSpan(0, count));
        }, cancellationToken);
    }

    private void ReadAll(string stage, Action<TarReader, TarEntry, ContentPlace> visit, CancellationToken cancellationToken)
    {
        long total = image.Layers.Sum(layer => LengthOf(layer)), before = 0, reported = 0, bytesLeft = ContainerLimits.LayerBytesMax;
        for (int layer = 0; layer < image.Layers.Count; layer++)
        {
            try
            {
                using LayerStream stream = LayerStream.Open(archive, image.Layers[layer], bytesLeft, cancellationToken);
                var reader = new TarReader(stream.Content);
                for (int number = 0; reader.ReadNext() is { } entry; number++)
                {
                    visit(reader, entry, new ContentPlace(layer, number));
                    if (before + stream.BytesRead - reported < ReportEvery)
                        continue;
                    reported = before + stream.BytesRead;
                    progress?.Report(new ImportProgress(stage, reported, total));
                }

                bytesLeft -= stream.Finish();
                before += stream.BytesRead;
            }
            catch (ContainerImageException e)
            {
                throw new ContainerImageException(e.Failure, $"layer {layer + 1} of {image.Layers.Count}: {e.Message}", e);
            }
        }

        progress?.Report(new ImportProgress(stage, total, total));
    }

    private long LengthOf(ImageLayer layer)
    {
        if (!archive.TryOpen(layer.FileName, out Stream? stream))
            return 0;
        using (stream)
            return stream.Length;
    }
}

/// <summary>Takes content of a file: what it is for, where it belongs in the file, and the bytes, good until it returns.</summary>
internal delegate void ContentSink<in T>(T target, long offset, ReadOnlySpan<byte> content);
