namespace Iroh.Relay.Server;

/// <summary>
/// What files say, read again when they have changed. Looked at when somebody asks and at most once a second: nothing watches while
/// nobody needs it. Thread-safe.
/// </summary>
/// <typeparam name="T">What is made of the files.</typeparam>
internal sealed class WatchedFile<T>
    where T : class
{
    // A stat of each file is the price of a look.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly IReadOnlyList<string> _paths;
    private readonly Func<IReadOnlyList<string>, T> _read;
    private readonly TimeProvider _time;
    private readonly Action<string>? _onProblem;
    private readonly Lock _looking = new();
    private volatile T _current;
    private Stamp[] _stamps;
    private long _lookedAt;

    /// <summary>Reads the files.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="read">Makes a value of them.</param>
    /// <param name="time">Says when to look again.</param>
    /// <param name="onProblem">Is told, once for each state of the files, why a changed file could not be used.</param>
    /// <exception cref="RelayServerException">They cannot be read.</exception>
    public WatchedFile(IReadOnlyList<string> paths, Func<IReadOnlyList<string>, T> read, TimeProvider time, Action<string>? onProblem)
    {
        (_paths, _read, _time, _onProblem) = (paths, read, time, onProblem);
        _stamps = Look();
        _lookedAt = time.GetTimestamp();
        _current = Read();
    }

    /// <summary>What the files say, or said when they could last be read.</summary>
    public T Current
    {
        get
        {
            if (_time.GetElapsedTime(Volatile.Read(ref _lookedAt)) >= s_pause && _looking.TryEnter())
            {
                try
                {
                    Refresh();
                }
                finally
                {
                    _looking.Exit();
                }
            }

            return _current;
        }
    }

    private void Refresh()
    {
        Volatile.Write(ref _lookedAt, _time.GetTimestamp());
        Stamp[] stamps = Look();
        if (stamps.AsSpan().SequenceEqual(_stamps))
            return;
        // Remembered also on failure: a broken file is reported once, not at every look. Whoever mends it changes it.
        _stamps = stamps;
        try
        {
            _current = Read();
        }
        catch (RelayServerException exception)
        {
            _onProblem?.Invoke($"{exception.Message} What it said before stays in force.");
        }
    }

    private T Read()
    {
        try
        {
            return _read(_paths);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RelayServerException($"{string.Join(" and ", _paths)} cannot be read: {exception.Message}", exception);
        }
    }

    private Stamp[] Look() => [.. _paths.Select(static path =>
    {
        var file = new FileInfo(path);
        return file.Exists ? new Stamp(file.LastWriteTimeUtc, file.Length) : default;
    })];

    private readonly record struct Stamp(DateTime WrittenAt, long Length);
}
