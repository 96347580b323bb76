namespace Blixard.Rpc.Frames;

/// <summary>A bidirectional stream of a connection, with the two things that <see cref="System.IO.Stream"/> lacks.</summary>
public sealed class RpcStream : IAsyncDisposable
{
    private readonly Func<CancellationToken, ValueTask> _finishWriting;
    private readonly Action<ulong> _abort;
    private readonly Action? _continueInline;
    private readonly Func<Exception, ulong?>? _codeOf;

    /// <summary>Wraps a stream, which it owns from now on.</summary>
    /// <param name="stream">The bytes. Reading must fail once the peer has reset its side, and waiting writes once the peer
    /// has stopped reading.</param>
    /// <param name="finishWriting">Ends our side well (FIN) after all that was written.</param>
    /// <param name="abort">Resets our side and tells the peer to stop its own, with an application code of
    /// <see cref="RpcAbortCode"/>; wakes waiting reads and writes. Does not throw, does not wait, may come at any time.</param>
    /// <param name="continueInline">Has reads continue on the thread that receives, see <see cref="Calls.RpcCallOptions.ContinuesInline"/>;
    /// called while nobody reads, if at all. Null = there is no such thread.</param>
    /// <param name="codeOf">Which application code the peer gave when it reset or stopped the stream, out of the exception of a read or
    /// write; null for exceptions with other reasons. Null = such exceptions tell no code.</param>
    public RpcStream(
        Stream stream, Func<CancellationToken, ValueTask> finishWriting, Action<ulong> abort, Action? continueInline = null,
        Func<Exception, ulong?>? codeOf = null)
    {
        Stream = stream;
        _finishWriting = finishWriting;
        _abort = abort;
        _continueInline = continueInline;
        _codeOf = codeOf;
    }

    /// <summary>The bytes.</summary>
    public Stream Stream { get; }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Stream.DisposeAsync();

    internal ValueTask FinishWritingAsync(CancellationToken cancellationToken) => _finishWriting(cancellationToken);

    internal void Abort(ulong code) => _abort(code);

    internal void ContinueInline() => _continueInline?.Invoke();

    internal ulong? CodeOf(Exception e) => _codeOf?.Invoke(e);
}

/// <summary>Application codes with which a stream of a call is reset or stopped.</summary>
public static class RpcAbortCode
{
    /// <summary>The caller gave the call up.</summary>
    public const ulong Cancelled = 1;

    /// <summary>The peer broke the frame protocol.</summary>
    public const ulong ProtocolError = 2;

    /// <summary>The node shuts down.</summary>
    public const ulong Shutdown = 3;

    /// <summary>The connection to which the stream's bytes were passed on broke.</summary>
    public const ulong ConnectionBroke = 4;
}
