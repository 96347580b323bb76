using System.Threading.Channels;
using Blixard.Images.Fetching;
using Blixard.Images.Serving;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;
using Blixard.Testing.Basics;
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
        (MemoryDuplex near, MemoryDuplex far) = MemoryDuplex.CreatePair();
        _accepted.Writer.TryWrite(ToRpcStream(far));
        return ValueTask.FromResult(ToRpcStream(near));
    }

    private static RpcStream ToRpcStream(MemoryDuplex end) => new(end, end.FinishAsync, end.Abort);
}
