namespace Blixard.MicroVm.Console;

/// <summary>
/// An interactive connection to a guest's console. Whoever attaches reads: a guest whose output nobody takes stops at its next
/// line. The console log gets everything too. Dispose it to let the next one attach.
/// </summary>
public sealed class ConsoleConnection : IAsyncDisposable
{
    private Action? _released;

    /// <summary>Wraps <paramref name="stream"/>; <paramref name="released"/> is called once, at disposal.</summary>
    public ConsoleConnection(Stream stream, Action released)
    {
        Stream = stream;
        _released = released;
    }

    /// <summary>Bytes from and to the guest, as they are. Ends when the guest ends.</summary>
    public Stream Stream { get; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Stream.DisposeAsync().ConfigureAwait(false);
        Interlocked.Exchange(ref _released, null)?.Invoke();
    }
}
