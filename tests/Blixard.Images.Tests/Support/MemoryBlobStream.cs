using System.IO.Pipelines;
using Iroh.Blobs.Transfer;

namespace Blixard.Images.Tests.Support;

/// <summary>One end of a stream of blobs in memory.</summary>
internal sealed class MemoryBlobStream : IBlobStream
{
    private const int WindowLength = 64 * 1024;

    private readonly PipeReader _reader;
    private readonly PipeWriter _writer;

    private MemoryBlobStream(PipeReader reader, PipeWriter writer, Func<Stream, Stream>? change)
    {
        (_reader, _writer) = (reader, writer);
        Input = change?.Invoke(reader.AsStream()) ?? reader.AsStream();
        Output = writer.AsStream();
    }

    public Stream Input { get; }

    public Stream Output { get; }

    /// <param name="change">Changes what the near end reads; null = nothing does.</param>
    public static (MemoryBlobStream Near, MemoryBlobStream Far) CreatePair(Func<Stream, Stream>? change = null)
    {
        var options = new PipeOptions(pauseWriterThreshold: WindowLength, resumeWriterThreshold: WindowLength / 2, useSynchronizationContext: false);
        Pipe there = new(options), back = new(options);
        return (new MemoryBlobStream(back.Reader, there.Writer, change), new MemoryBlobStream(there.Reader, back.Writer, null));
    }

    public void CompleteWrites() => _writer.Complete();

    public void Abort(ulong code) => _writer.Complete(new BlobStreamAbortedException(code));

    public ValueTask DisposeAsync()
    {
        _writer.Complete();
        _reader.Complete();
        return ValueTask.CompletedTask;
    }
}
