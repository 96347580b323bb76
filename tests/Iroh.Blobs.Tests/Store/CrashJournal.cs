using System.Globalization;

namespace Iroh.Blobs.Tests.Store;

/// <summary>What a store acknowledged before it died. In memory, and in a file for a process that is killed. Thread-safe.</summary>
public sealed class CrashJournal : IDisposable
{
    private readonly Lock _lock = new();
    private readonly FileStream? _file;
    private readonly Dictionary<string, (int Seed, int Length)> _tagged = [];
    private readonly Dictionary<(int Seed, int Length), HashSet<int>> _groups = [];

    /// <param name="path">Read and appended to; null = memory alone.</param>
    public CrashJournal(string? path = null)
    {
        if (path is null)
            return;
        foreach (string line in File.Exists(path) ? File.ReadAllLines(path) : [])
            if (line.EndsWith('.'))
                Apply(line[..^1].Split(' '));
        _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
    }

    public IReadOnlyList<(string Name, int Seed, int Length)> Tagged
    {
        get
        {
            lock (_lock)
                return [.. _tagged.Select(tag => (tag.Key, tag.Value.Seed, tag.Value.Length))];
        }
    }

    public IReadOnlyList<(int Seed, int Length, int[] Groups)> Downloads
    {
        get
        {
            lock (_lock)
                return [.. _groups.Select(blob => (blob.Key.Seed, blob.Key.Length, blob.Value.Order().ToArray()))];
        }
    }

    /// <summary>A blob was added and the tag is there.</summary>
    public void AddTagged(string name, int seed, int length) => Note("tagged", name, seed, length);

    /// <summary>The tag may be gone from now on.</summary>
    public void Doom(string name) => Note("doomed", name);

    /// <summary>A group was written.</summary>
    public void Wrote(int seed, int length, int group) => Note("group", seed, length, group);

    public void Dispose() => _file?.Dispose();

    private void Note(params object[] words)
    {
        string[] line = [.. words.Select(word => Convert.ToString(word, CultureInfo.InvariantCulture)!)];
        lock (_lock)
        {
            Apply(line);

            // A line that was torn does not end so.
            _file?.Write(System.Text.Encoding.UTF8.GetBytes(string.Join(' ', line) + ".\n"));
        }
    }

    private void Apply(string[] line)
    {
        int Number(int index) => int.Parse(line[index], CultureInfo.InvariantCulture);
        switch (line[0])
        {
            case "tagged":
                _tagged[line[1]] = (Number(2), Number(3));
                break;
            case "doomed":
                _tagged.Remove(line[1]);
                break;
            case "group":
                if (!_groups.TryGetValue((Number(1), Number(2)), out HashSet<int>? groups))
                    _groups.Add((Number(1), Number(2)), groups = []);
                groups.Add(Number(3));
                break;
        }
    }
}
