using System.IO.Compression;
using System.Security.Cryptography;
using Blixard.Containers.Archives;
using Blixard.Containers.Images;

namespace Blixard.Containers.Layers;

/// <summary>The uncompressed content of a layer, hashed on the way. Not thread-safe.</summary>
internal sealed class LayerStream : IDisposable
{
    private readonly ImageLayer _layer;
    private readonly HashedStream _blob;
    private readonly HashedStream _content;

    private LayerStream(ImageLayer layer, HashedStream blob, HashedStream content) => (_layer, _blob, _content) = (layer, blob, content);

    /// <summary>What a tar reader reads.</summary>
    public Stream Content => _content;

    /// <summary>Bytes of the layer's file that were read, for progress.</summary>
    public long BytesRead => _blob.Count;

    /// <summary>Opens a layer.</summary>
    /// <param name="archive">Where it is.</param>
    /// <param name="layer">Which.</param>
    /// <param name="bytesMax">How much uncompressed content is accepted.</param>
    /// <param name="cancellationToken">Ends reading.</param>
    /// <exception cref="ContainerImageException">It is not there, has another size than stated, or an unknown compression.</exception>
    public static LayerStream Open(ImageArchive archive, ImageLayer layer, long bytesMax, CancellationToken cancellationToken)
    {
        if (!archive.TryOpen(layer.FileName, out Stream? file))
            throw ContainerImageException.NotFound($"{archive.Description} has no layer {ByteText.Show(ByteText.FromUnicode(layer.FileName))}");
        if (layer.Blob is { } blob && blob.Size != file.Length)
        {
            long length = file.Length;
            file.Dispose();
            throw ContainerImageException.Malformed($"{layer.FileName} has {length} bytes and should have {blob.Size}");
        }

        // Reading stops at the file's length, so the blob itself needs no limit.
        var hashedBlob = new HashedStream(file, long.MaxValue, cancellationToken);
        try
        {
            LayerCompression compression = layer.Compression ?? Detect(file);
            Stream content = compression == LayerCompression.Gzip ? new GZipStream(hashedBlob, CompressionMode.Decompress) : hashedBlob;
            return new LayerStream(layer, hashedBlob, new HashedStream(content, bytesMax, cancellationToken));
        }
        catch
        {
            hashedBlob.Dispose();
            throw;
        }
    }

    /// <summary>Reads what is left and checks the digests.</summary>
    /// <returns>The number of uncompressed bytes.</returns>
    /// <exception cref="ContainerImageException">A digest is another one than stated.</exception>
    public long Finish()
    {
        _content.Drain();
        _blob.Drain();
        if (_content.End() != _layer.DiffId)
            throw ContainerImageException.Malformed($"the content of {ByteText.Show(ByteText.FromUnicode(_layer.FileName))} has another digest than the image's configuration says ({_layer.DiffId})");
        if (_layer.Blob is { } blob && _blob.End() != blob.Digest)
            throw ContainerImageException.Malformed($"{_layer.FileName} has another digest than its name says");
        return _content.Count;
    }

    public void Dispose() => _content.Dispose();

    private static LayerCompression Detect(Stream file)
    {
        Span<byte> start = stackalloc byte[4];
        int count = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        file.Position = 0;
        if (count == 4 && start.SequenceEqual((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]))
            throw ContainerImageException.Unsupported("a layer is compressed with zstd, which cannot be read; pack the image with gzip");
        return count >= 2 && start[0] == 0x1F && start[1] == 0x8B ? LayerCompression.Gzip : LayerCompression.None;
    }

    /// <summary>Reads another stream, hashes and counts what passes, and ends at a limit.</summary>
    private sealed class HashedStream(Stream inner, long bytesMax, CancellationToken cancellationToken) : Stream
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public long Count { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => Count;
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count;
            try
            {
                count = inner.Read(buffer);
            }
            catch (InvalidDataException e)
            {
                throw ContainerImageException.Malformed($"a layer's gzip stream is damaged: {e.Message}", e);
            }

            Count += count;
            if (Count > bytesMax)
                throw ContainerImageException.TooLarge($"the layers have more than {ContainerLimits.LayerBytesMax} bytes uncompressed");
            _hash.AppendData(buffer[..count]);
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public void Drain()
        {
            byte[] waste = new byte[64 << 10];
            while (Read(waste.AsSpan()) > 0)
            {
            }
        }

        public Digest End() => Digest.FromHash(_hash.GetHashAndReset());

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _hash.Dispose();
                inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
