using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;

namespace Blixard.Images.Tests.Support;

/// <summary>Somebody who has blobs: a real provider over streams in memory.</summary>
internal sealed class BlobPeer : IBlobSource, IBlobProviderEvents, IAsyncDisposable
{
    private readonly MemoryBlobStore _store = new();
    private readonly BlobProvider _provider;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<TempTag> _held = [];
    private readonly Lock _lock = new();
    private readonly List<Task> _serving = [];
    private readonly EndpointId _id = SecretKey.Generate().PublicKey;
    private long _bytesSent;
    private int _requests;
    private long _bytesRead;

    public BlobPeer(string name, long? bytesPerSecond = null)
    {
        Name = name;
        _provider = new BlobProvider(_store, new BlobProviderOptions { BytesPerSecond = bytesPerSecond, Events = this });
    }

    public string Name { get; }

    /// <summary>Awaited before each request is served.</summary>
    public Func<CancellationToken, Task> BeforeRequest { get; set; } = static _ => Task.CompletedTask;

    /// <summary>From which byte of all its responses together on it is wrong, however they are cut; null = it is right.</summary>
    public long? WrongFrom { get; set; }

    /// <summary>Requests for content, without those that only observe.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Bytes of all responses that have ended.</summary>
    public long BytesSent => Interlocked.Read(ref _bytesSent);

    public async Task<BlobHash> GiveAsync(byte[] content)
    {
        TempTag held = await _store.AddBytesAsync(content);
        _held.Add(held);
        return held.Hash;
    }

    public async ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken)
    {
        await BeforeRequest(cancellationToken);
        (MemoryBlobStream near, MemoryBlobStream far) = MemoryBlobStream.CreatePair(WrongFrom is { } from ? input => new WrongStream(this, input, from) : null);
        lock (_lock)
            _serving.Add(Task.Run(() => _provider.ServeStreamAsync(_id, far, _stopping.Token), CancellationToken.None));
        return near;
    }

    public void OnStarted(BlobRequestInfo request)
    {
        if (request.Kind != BlobRequestKind.Observe)
            Interlocked.Increment(ref _requests);
    }

    public void OnProgress(BlobRequestInfo request, long bytes)
    {
    }

    public void OnEnded(BlobRequestInfo request, BlobRequestOutcome outcome, long bytes, TimeSpan duration) => Interlocked.Add(ref _bytesSent, bytes);

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
            return;
        await _stopping.CancelAsync();
        Task[] serving;
        lock (_lock)
            serving = [.. _serving];
        await Task.WhenAll(serving).WaitAsync(TimeSpan.FromSeconds(60));
        _provider.Dispose();
        foreach (TempTag tag in _held)
            tag.Dispose();
        await _store.DisposeAsync();
        _stopping.Dispose();
    }

    /// <summary>Flips bits from an offset on.</summary>
    private sealed class WrongStream(BlobPeer peer, Stream input, long from) : AsyncStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = await input.ReadAsync(buffer, cancellationToken);
            long first = Interlocked.Add(ref peer._bytesRead, read) - read;
            for (int i = (int)Math.Clamp(from - first, 0, read); i < read; i++)
                buffer.Span[i] ^= 0x10;

            return read;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new NotSupportedException();
    }
}
