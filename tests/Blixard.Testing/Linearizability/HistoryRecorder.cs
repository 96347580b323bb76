using System.Collections.Concurrent;

namespace Blixard.Testing.Linearizability;

/// <summary>
/// Records what concurrent clients do. Its clock counts events: an operation that was answered before another was called has
/// the smaller number, which is all that a check needs. Thread-safe.
/// </summary>
public sealed class HistoryRecorder
{
    private readonly ConcurrentQueue<Pending> _operations = new();
    private long _events;

    /// <summary>The history up to now. What was begun and not ended has no answer yet.</summary>
    public IReadOnlyList<RegisterOperation> Operations => [.. _operations.Where(pending => !pending.IsNothing).Select(pending => pending.ToOperation())];

    /// <summary>To be called right before an operation is sent.</summary>
    public Pending Begin(int client, string key, RegisterCall call)
    {
        var pending = new Pending(this, client, key, call, Interlocked.Increment(ref _events));
        _operations.Enqueue(pending);
        return pending;
    }

    /// <summary>An operation that has begun. If neither method is called, its outcome is unknown.</summary>
    public sealed class Pending
    {
        private readonly HistoryRecorder _recorder;
        private readonly RegisterOperation _begun;
        private RegisterOperation? _ended;

        internal Pending(HistoryRecorder recorder, int client, string key, RegisterCall call, long begun)
        {
            _recorder = recorder;
            _begun = new RegisterOperation(client, key, call, null, begun, long.MaxValue);
        }

        internal bool IsNothing { get; private set; }

        /// <summary>To be called right after the answer has come.</summary>
        public void End(RegisterAnswer answer) =>
            Volatile.Write(ref _ended, _begun with { Answer = answer, Ended = Interlocked.Increment(ref _recorder._events) });

        /// <summary>It surely had and will have no effect, and said nothing about the register.</summary>
        public void WasNothing() => IsNothing = true;

        internal RegisterOperation ToOperation() => Volatile.Read(ref _ended) ?? _begun;
    }
}
