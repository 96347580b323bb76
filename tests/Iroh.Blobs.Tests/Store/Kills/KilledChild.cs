using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Blixard.Testing.Basics;

namespace Iroh.Blobs.Tests.Store.Kills;

/// <summary>
/// A process that works on a store by order, and can be killed at any moment. It says when it begins a piece of work, how much of a download
/// is stored, and when the work is done.
/// </summary>
internal sealed class KilledChild : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly ConcurrentDictionary<int, KilledWork> _works = new();
    private readonly StringBuilder _said;
    private readonly Task _reading;
    private int _lastId;

    private KilledChild(Process process, Socket socket, StringBuilder said)
    {
        (_process, _socket, _said) = (process, socket, said);
        _stream = new NetworkStream(socket);
        _reading = ReadAsync();
    }

    /// <summary>The process's number.</summary>
    public int Id => _process.Id;

    /// <summary>Starts the process; see <see cref="KillWork"/> for what it does.</summary>
    /// <param name="method">The explicit test that is the process.</param>
    /// <param name="variable">The environment variable that tells it what to work on.</param>
    /// <param name="settings">What the variable says, before the port for orders.</param>
    public static async Task<KilledChild> StartAsync(string method, string variable, string settings)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var start = new ProcessStartInfo(Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet")
        {
            ArgumentList = { typeof(KilledChild).Assembly.Location, "-explicit", "only", "-method", method },
            Environment = { [variable] = $"{settings}|{((IPEndPoint)listener.LocalEndPoint!).Port}" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var said = new StringBuilder();
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Say(said, line.Data);
        process.ErrorDataReceived += (_, line) => Say(said, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            using var limit = new CancellationTokenSource(Patience.Limit);
            Task<Socket> accepting = listener.AcceptAsync(limit.Token).AsTask();
            await Task.WhenAny(accepting, process.WaitForExitAsync(limit.Token));
            if (accepting.IsCompletedSuccessfully)
                return new KilledChild(process, await accepting, said);
            throw new InvalidOperationException($"The process did not begin within {Patience.Limit.TotalSeconds:0} s. It said: {Saying(said)}");
        }
        catch
        {
            process.Kill();
            process.Dispose();
            throw;
        }
    }

    /// <summary>Orders a piece of work, and waits until the process says that it begins it.</summary>
    public async Task<KilledWork> BeginAsync(string order)
    {
        int id = Interlocked.Increment(ref _lastId);
        var work = new KilledWork(order);
        _works[id] = work;
        await _stream.WriteAsync(Encoding.UTF8.GetBytes($"{id} {order}\n"));
        await LimitAsync(work.Begun, $"did not begin: {order}");
        return work;
    }

    /// <summary>Orders a piece of work and waits until it is done.</summary>
    public async Task RunAsync(string order) => await EndAsync(await BeginAsync(order));

    /// <summary>Waits until a piece of work is done.</summary>
    public Task EndAsync(KilledWork work) => LimitAsync(work.Done, $"did not end: {work.Order}");

    /// <summary>SIGKILL. When this returns, all that the process said is known.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await Patience.ForAsync(_process.WaitForExitAsync(), "the killed process ends");
        Assert.True(_process.ExitCode == 128 + 9, $"the process ended by itself with {_process.ExitCode}. It said: {Saying(_said)}");
        await Patience.ForAsync(_reading, "what the process said is read");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await Patience.ForAsync(_process.WaitForExitAsync(), "the killed process ends");
        _process.Dispose();
        await Patience.ForAsync(_reading, "what the process said is read");
        await _stream.DisposeAsync();
        _socket.Dispose();
    }

    private async Task LimitAsync(Task awaited, string what)
    {
        Task first = await Task.WhenAny(awaited, _reading, Task.Delay(Patience.Limit));
        if (first != awaited && !awaited.IsCompleted)
        {
            throw new InvalidOperationException(
                $"The process {(first == _reading ? "ended: it" : $"was waited for {Patience.Limit.TotalSeconds:0} s and")} {what}. It said: {Saying(_said)}");
        }

        await awaited;
    }

    private async Task ReadAsync()
    {
        using var reader = new StreamReader(_stream, leaveOpen: true);
        try
        {
            // A line that was torn by the kill has no end, and is not believed.
            while (await reader.ReadLineAsync() is { } line)
            {
                if (!line.EndsWith('.'))
                    break;
                string[] words = line[..^1].Split(' ', 3);
                _works[int.Parse(words[0], System.Globalization.CultureInfo.InvariantCulture)].Hear(words[1], words.Length > 2 ? words[2] : "");
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // It was killed.
        }
    }

    private static void Say(StringBuilder said, string? line)
    {
        lock (said)
            said.AppendLine(line);
    }

    private static string Saying(StringBuilder said)
    {
        lock (said)
            return said.ToString();
    }
}

/// <summary>A piece of work that a <see cref="KilledChild"/> was ordered to do, as far as it has said.</summary>
internal sealed class KilledWork(string order)
{
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _begunAt;
    private long _doneAt;
    private long _stored;

    public string Order => order;

    public Task Begun => _begun.Task;

    public Task Done => _done.Task;

    /// <summary>Bytes of a download that the process said are stored.</summary>
    public long Stored => Interlocked.Read(ref _stored);

    /// <summary>When it was heard that the work began; as of <see cref="Stopwatch"/>.</summary>
    public long BegunAt => _begunAt;

    /// <summary>How long the work took.</summary>
    public TimeSpan Duration => Stopwatch.GetElapsedTime(_begunAt, _doneAt);

    /// <summary>Takes what the process says.</summary>
    public void Hear(string word, string rest)
    {
        switch (word)
        {
            case "begun":
                _begunAt = Stopwatch.GetTimestamp();
                _begun.TrySetResult();
                break;
            case "stored":
                Interlocked.Exchange(ref _stored, long.Parse(rest, System.Globalization.CultureInfo.InvariantCulture));
                break;
            case "done":
                _doneAt = Stopwatch.GetTimestamp();
                _done.TrySetResult();
                break;
            default:
                var failure = new InvalidOperationException($"{order}: {rest}");
                _begun.TrySetException(failure);
                _done.TrySetException(failure);
                break;
        }
    }
}
