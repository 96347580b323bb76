using System.IO.Pipelines;
using System.Threading.Channels;
using Blixard.Images.Fetching;
using Blixard.Images.Serving;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;
using Blixard.V1;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Images.Tests.Support;

/// <summary>A node's image store served over the frame protocol, on streams in memory.</summary>
internal sealed class ImagePeer : IAsyncDisposable
{
    private readonly Channel<RpcStream> _accepted = Channel.CreateUnbounded<RpcStream>();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    public ImagePeer(string name, ImageStore images)
    {
        Images = images;
        var service = new RpcService(ImageReflection.Descriptor, "Image");
        new ImageContentService(images.Blobs).Bind(service)
            .ServerStreaming(ImageMethods.Add, static (_, _) => AsyncEnumerable.Empty<V1.ImageProgress>())
            .ServerStreaming(ImageMethods.Pull, static (_, _) => AsyncEnumerable.Empty<V1.ImageProgress>())
            .Unary(ImageMethods.List, static (_, _) => Task.FromResult(new ListImagesResponse()))
            .Unary(ImageMethods.Inspect, static (_, _) => Task.FromResult(new InspectImageResponse()))
            .Unary(ImageMethods.Remove, static (_, _) => Task.FromResult(new RemoveImageResponse()));
        var dispatcher = new RpcDispatcher(
            new RpcServiceTable([service]), static _ => ValueTask.FromResult(RpcDecision.Allow), TimeProvider.System, new RpcMetrics(),
            NullLogger<RpcDispatcher>.Instance);
        var runner = new IrohServiceRunner(dispatcher, NullLogger<IrohServiceRunner>.Instance);
        _serving = runner.RunAsync(
            _accepted.Reader.ReadAllAsync(), new RpcPeer(new byte[32], RpcTransport.P2p, "memory"), _stop.Token);
        Caller = new P2pCaller(OpenAsync, TimeProvider.System);
        Source = RpcBlobSource.Create(name, Caller);
    }

    public ImageStore Images { get; }

    public IRpcCaller Caller { get; }

    public BlobSource Source { get; }

    public async ValueTask DisposeAsync()
    {
        _accepted.Writer.TryComplete();
        await _stop.CancelAsync();
        try
        {
            await _serving;
        }
        catch (OperationCanceledException)
        {
            // That is how it was stopped.
        }
        _stop.Dispose();
    }

    private ValueTask<RpcStream> OpenAsync(CancellationToken cancellationToken)
    {
        var options = new PipeOptions(pauseWriterThreshold: 16 * 1024, resumeWriterThreshold: 8 * 1024, useSynchronizationContext: false);
        Pipe there = new(options), back = new(options);
        _accepted.Writer.TryWrite(new Duplex(there.Reader, back.Writer).ToRpcStream());
        return ValueTask.FromResult(new Duplex(back.Reader, there.Writer).ToRpcStream());
    }

    private sealed class Duplex(PipeReader reader, PipeWriter writer) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public RpcStream ToRpcStream() => new(this, _ => writer.CompleteAsync(), _ =>
        {
            writer.Complete(new IOException("reset by the peer"));
            reader.CancelPendingRead();
        });

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            ReadResult read = await reader.ReadAsync(cancellationToken);
            int count = (int)Math.Min(buffer.Length, read.Buffer.Length);
            System.Buffers.BuffersExtensions.CopyTo(read.Buffer.Slice(0, count), buffer.Span);
            reader.AdvanceTo(read.Buffer.GetPosition(count));
            return count == 0 && read.IsCanceled ? throw new IOException("reset") : count;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if ((await writer.WriteAsync(buffer, cancellationToken)).IsCompleted)
                throw new IOException("the peer reads no more");
        }

        public override ValueTask DisposeAsync()
        {
            writer.Complete();
            reader.Complete();
            return base.DisposeAsync();
        }

        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
