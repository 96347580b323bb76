using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace Iroh.Protocols;

/// <summary>
/// Gives every accepted connection to the handler of its protocol, each in a task of its own. A handler that fails ends its
/// connection and nothing else.
/// </summary>
public sealed class ProtocolRouter : IAsyncDisposable
{
    /// <summary>The application close code that a peer sees when a handler failed.</summary>
    public const ulong HandlerFailedCode = 1;

    private readonly IrohEndpoint _endpoint;
    private readonly ImmutableDictionary<string, IProtocolHandler> _handlers;
    private readonly Action<IrohConnection, Exception>? _onFailure;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<IrohConnection, Task> _running = new();
    private readonly Task _loop;
    private readonly Lazy<Task> _disposal;

    /// <summary>Starts to accept: the endpoint's protocols become those of the handlers.</summary>
    /// <param name="endpoint">Stays the caller's; nobody else may accept from it.</param>
    /// <param name="handlers">One for each protocol.</param>
    /// <param name="onFailure">Told of each handler that failed, and with what; called on a thread of the pool.</param>
    public ProtocolRouter(
        IrohEndpoint endpoint, IReadOnlyDictionary<string, IProtocolHandler> handlers, Action<IrohConnection, Exception>? onFailure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(handlers);
        _endpoint = endpoint;
        _handlers = handlers.ToImmutableDictionary(StringComparer.Ordinal);
        _onFailure = onFailure;
        endpoint.SetApplicationProtocols(_handlers.Keys.Order(StringComparer.Ordinal));
        _disposal = new Lazy<Task>(StopAsync);
        _loop = Task.Run(AcceptAllAsync);
    }

    /// <summary>Accepts no more, cancels the handlers and waits for them. The endpoint stays open.</summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    private async Task AcceptAllAsync()
    {
        try
        {
            while (await _endpoint.AcceptAsync(_stopping.Token).ConfigureAwait(false) is { } connection)
            {
                // The task removes itself, which it can only do after it was added.
                var added = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _running[connection] = ServeAsync(connection, added.Task);
                added.SetResult();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task ServeAsync(IrohConnection connection, Task added)
    {
        await added.ConfigureAwait(false);
        try
        {
            if (_handlers.TryGetValue(connection.ApplicationProtocol, out IProtocolHandler? handler))
                await handler.AcceptAsync(connection, _stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
        }
        catch (Exception exception)
        {
            _onFailure?.Invoke(connection, exception);
            await connection.CloseAsync(HandlerFailedCode, "the handler failed").ConfigureAwait(false);
        }
        finally
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            _running.TryRemove(connection, out _);
        }
    }

    private async Task StopAsync()
    {
        _endpoint.SetApplicationProtocols([]);
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        await Task.WhenAll(_running.Values).ConfigureAwait(false);
        _stopping.Dispose();
    }
}
