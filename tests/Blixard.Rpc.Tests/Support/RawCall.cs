using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Blixard.Testing.Basics;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Rpc.Tests.Support;

/// <summary>A stream to a host's runner on which a test writes what it likes.</summary>
internal sealed class RawCall : IAsyncDisposable
{
    private readonly MemoryDuplex _near;
    private readonly FrameReader _reader;
    private readonly Task _served;

    public RawCall(FrameHost host, CancellationToken shutdown = default)
    {
        (_near, MemoryDuplex far) = MemoryDuplex.CreatePair();
        Far = far;
        _reader = new FrameReader(_near);
        Writer = new FrameWriter(_near);
        _served = host.Runner.ServeCallAsync(far.ToRpcStream(), host.Peer, shutdown);
    }

    public Guid Id { get; } = Guid.NewGuid();

    public MemoryDuplex Far { get; }

    public Task Served => _served.WaitAsync(TimeSpan.FromSeconds(30));

    public FrameWriter Writer { get; }

    public ValueTask RequestAsync(
        RpcMethod method, IMessage? message, ulong deadlineMilliseconds = 0, FrameFlags flags = FrameFlags.None) =>
        Writer.WriteAsync(
            FrameType.Request, Id, flags,
            new RpcRequest
            {
                Service = method.Service,
                Method = method.Name,
                DeadlineMs = deadlineMilliseconds,
                Message = message?.ToByteString() ?? ByteString.Empty,
            },
            CancellationToken.None);

    public ValueTask SendAsync(ReadOnlyMemory<byte> bytes) => _near.WriteAsync(bytes);

    public ValueTask FinishAsync() => _near.FinishAsync();

    public async Task<FrameReadResult> ReadAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        FrameRead read = await _reader.ReadAsync(patience.Token);
        return new FrameReadResult(read.Kind == FrameReadKind.End, read.Header, read.Payload.ToArray());
    }

    public async Task<(RpcStatusCode Code, string Message)> ReadErrorAsync()
    {
        FrameReadResult read = await ReadAsync();
        Assert.False(read.IsEnd, "the stream ended without an Error frame");
        Assert.Equal(FrameType.Error, read.Header.Type);
        RpcError error = RpcError.Parser.ParseFrom(read.Payload);
        return ((RpcStatusCode)error.Code, error.Message);
    }

    public async ValueTask DisposeAsync()
    {
        _near.Abort(RpcAbortCode.Cancelled);
        await Served;
        await _near.DisposeAsync();
        _reader.Dispose();
    }
}

internal sealed record FrameReadResult(bool IsEnd, FrameHeader Header, byte[] Payload);
