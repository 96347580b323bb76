namespace Blixard.Node;

/// <summary>When and why the node ends. Thread-safe.</summary>
internal sealed class NodeLifetime
{
    // The call that ends the node is answered first: long enough for an answer on a unix socket.
    private static readonly TimeSpan AnswerTime = TimeSpan.FromMilliseconds(100);

    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the reason.</summary>
    public Task<string> Ended => _ended.Task;

    public void End(string reason) => _ended.TrySetResult(reason);

    /// <summary>Ends the node when the answer to the running call had time to leave.</summary>
    public void EndAfterAnswer(string reason) => _ = EndSoonAsync(reason);

    private async Task EndSoonAsync(string reason)
    {
        await Task.Delay(AnswerTime).ConfigureAwait(false);
        End(reason);
    }
}
