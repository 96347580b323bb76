using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Blixard.Testing.Namespaces;

/// <summary>Something a program printed as JSON.</summary>
/// <param name="Item">An object.</param>
/// <param name="At">When it was read, by <see cref="Stopwatch.GetTimestamp"/>.</param>
public sealed record LabEvent(JsonObject Item, long At);

/// <summary>What a node printed: its events, and the last lines of both streams for messages about failures. Thread-safe.</summary>
internal sealed class LabNodeOutput
{
    // Enough for the story of a failure; a node prints a few lines at each change.
    private const int LinesMax = 200;

    // A case sees a few dozen events; the oldest go.
    private const int EventsMax = 1000;

    private readonly Lock _lock = new();
    private readonly Queue<string> _lines = new();
    private readonly Queue<LabEvent> _events = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _hasEnded;

    /// <summary>Whether both streams have ended.</summary>
    public bool HasEnded
    {
        get
        {
            lock (_lock)
                return _hasEnded;
        }
    }

    /// <summary>The last lines.</summary>
    public string Tail
    {
        get
        {
            lock (_lock)
                return string.Join('\n', _lines);
        }
    }

    /// <summary>The events, oldest first.</summary>
    public IReadOnlyList<LabEvent> Events
    {
        get
        {
            lock (_lock)
                return [.. _events];
        }
    }

    /// <summary>The first event that a condition holds for, among those that came and those that will; null when the output ends without one.</summary>
    public async Task<LabEvent?> UntilAsync(Func<LabEvent, bool> condition, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_events.FirstOrDefault(condition) is { } found)
                    return found;
                if (_hasEnded)
                    return null;
                changed = _changed.Task;
            }

            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads both streams to their ends.</summary>
    public async Task ReadAsync(StreamReader output, StreamReader errors)
    {
        await Task.WhenAll(ReadLinesAsync(output, areEvents: true), ReadLinesAsync(errors, areEvents: false)).ConfigureAwait(false);
        lock (_lock)
        {
            _hasEnded = true;
            _changed.TrySetResult();
        }
    }

    private async Task ReadLinesAsync(StreamReader reader, bool areEvents)
    {
        while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            lock (_lock)
            {
                _lines.Enqueue($"{DateTime.UtcNow:HH:mm:ss.fff} {line}");
                if (_lines.Count > LinesMax)
                    _lines.Dequeue();
                if (!areEvents || TryParse(line) is not { } item)
                    continue;
                _events.Enqueue(new LabEvent(item, Stopwatch.GetTimestamp()));
                if (_events.Count > EventsMax)
                    _events.Dequeue();
                _changed.TrySetResult();
                _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    private static JsonObject? TryParse(string line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
