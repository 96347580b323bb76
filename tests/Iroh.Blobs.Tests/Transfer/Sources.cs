using System.Collections.Concurrent;
using Iroh.Base;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Transfer;

/// <summary>A provider of this process as a source.</summary>
internal sealed class LocalSource(string name, BlobProvider provider, EndpointId peer = default) : IBlobSource, IDisposable
{
    private readonly ConcurrentBag<MemoryBlobStream> _streams = [];
    private readonly CancellationTokenSource _killed = new();
    private int _requests;

    public string Name => name;

    /// <summary>How often something was asked.</summary>
    public int Requests => _requests;

    /// <summary>Bytes that were sent to whoever asked.</summary>
    public long BytesSent => _streams.Sum(stream => stream.BytesRead);

    /// <summary>The source is gone, in the middle of what it does.</summary>
    public void Kill() => _killed.Cancel();

    public void Dispose() => _killed.Dispose();

    public ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken)
    {
        if (_killed.IsCancellationRequested)
            throw new IOException("nobody answers");
        Interlocked.Increment(ref _requests);
        (MemoryBlobStream near, MemoryBlobStream far) = MemoryBlobStream.CreatePair();
        _streams.Add(near);
        _ = Task.Run(() => provider.ServeStreamAsync(peer, far, _killed.Token), CancellationToken.None);
        return ValueTask.FromResult<IBlobStream>(near);
    }
}

/// <summary>A source that does with each request what a test wants.</summary>
/// <param name="name">Its name.</param>
/// <param name="answer">Gets the request's bytes and the stream to answer on.</param>
internal sealed class ScriptedSource(string name, Func<byte[], MemoryBlobStream, Task> answer) : IBlobSource
{
    public string Name => name;

    public ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken)
    {
        (MemoryBlobStream near, MemoryBlobStream far) = MemoryBlobStream.CreatePair();
        _ = Task.Run(() => AnswerAsync(far), CancellationToken.None);
        return ValueTask.FromResult<IBlobStream>(near);
    }

    private async Task AnswerAsync(MemoryBlobStream stream)
    {
        try
        {
            await using (stream)
            {
                var request = new MemoryStream();
                await stream.CopyToAsync(request);
                await answer(request.ToArray(), stream);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // Whoever asked has heard enough.
        }
    }
}

/// <summary>A source between a good one and whoever asks, that changes what passes.</summary>
/// <param name="name">Its name.</param>
/// <param name="behind">Where the answers come from.</param>
/// <param name="change">Gets the position in the answer and the bytes at it, which it may change, and says how many to pass on; less than
/// all ends the answer there.</param>
internal sealed class TamperingSource(string name, IBlobSource behind, Func<long, Memory<byte>, ValueTask<int>> change) : IBlobSource
{
    public string Name => name;

    public ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken) =>
        new ScriptedSource(name, AnswerAsync).OpenStreamAsync(cancellationToken);

    private async Task AnswerAsync(byte[] request, MemoryBlobStream stream)
    {
        await using IBlobStream good = await behind.OpenStreamAsync(CancellationToken.None);
        await good.Output.WriteAsync(request);
        good.CompleteWrites();
        var buffer = new byte[4096];
        long position = 0;
        while (await good.Input.ReadAsync(buffer) is int read and > 0)
        {
            int pass = await change(position, buffer.AsMemory(0, read));
            await stream.WriteAsync(buffer.AsMemory(0, Math.Min(pass, read)));
            position += read;
            if (pass < read)
                return;
        }
    }
}
