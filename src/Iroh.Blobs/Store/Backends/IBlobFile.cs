namespace Iroh.Blobs.Store.Backends;

/// <summary>Bytes at offsets: an open file, or memory. Thread-safe.</summary>
internal interface IBlobFile : IDisposable
{
    /// <summary>Whether reading waits for a device, so that a reader should not hold its thread.</summary>
    bool IsOnDevice { get; }

    /// <summary>Bytes up to the end.</summary>
    long Length { get; }

    /// <summary>Reads until the destination is full or the file ends; what was never written is zeros.</summary>
    /// <returns>Bytes read.</returns>
    int Read(long offset, Span<byte> destination);

    /// <inheritdoc cref="Read"/>
    ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Writes all of the content; the file grows as needed.</summary>
    /// <exception cref="StoreFullException">There is no room.</exception>
    void Write(long offset, ReadOnlySpan<byte> content);

    /// <summary>Cuts the file, or makes it longer without taking room.</summary>
    void SetLength(long length);

    /// <summary>Returns when all that was written is on the device.</summary>
    void Flush();
}
