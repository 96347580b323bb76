using Blixard.Rpc.Exchanges;
using Iroh.Blobs.Transfer;

namespace Blixard.Node.Images;

/// <summary>An exchange as a stream of blobs: what breaks it off is told in the words of blobs.</summary>
/// <param name="exchange">Carries it.</param>
/// <param name="isOwner">Whether the exchange ends with this: it does where it was opened, not where it is served.</param>
internal sealed class ExchangeBlobStream(ExchangeStream exchange, bool isOwner) : IBlobStream
{
    public Stream Input { get; } = new Reader(exchange.Input);

    public Stream Output => exchange.Output;

    public void CompleteWrites() => exchange.CompleteWrites();

    public void Abort(ulong code) => exchange.Abort(code);

    public ValueTask DisposeAsync()
    {
        exchange.CompleteWrites();
        return isOwner ? exchange.DisposeAsync() : ValueTask.CompletedTask;
    }

    private sealed class Reader(Stream input) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                return await input.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            }
            catch (ExchangeException e) when (e.Code is { } code)
            {
                throw new BlobStreamAbortedException(code, e);
            }
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
