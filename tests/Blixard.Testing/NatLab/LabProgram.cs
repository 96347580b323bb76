using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>A <c>blixard</c> command on a host of an <see cref="InternetLab"/>, with what it prints as JSON. One owner.</summary>
public sealed class LabProgram : IAsyncDisposable
{
    private readonly string _what;
    private readonly Process _process;
    private readonly LabNodeOutput _output = new();
    private readonly Task _reading;

    private LabProgram(string what, Process process)
    {
        (_what, _process) = (what, process);
        _reading = _output.ReadAsync(process.StandardOutput, process.StandardError);
    }

    /// <summary>What it has printed so far, oldest first.</summary>
    public IReadOnlyList<LabEvent> Events => _output.Events;

    /// <summary>Its process, for proc(5).</summary>
    public int ProcessId => _process.Id;

    /// <summary>The last lines of what it printed, for messages.</summary>
    public string Tail => $"--- {_what} {(_process.HasExited ? $"ended with {_process.ExitCode} and " : "")}printed:\n{_output.Tail}";

    /// <summary>Starts a command.</summary>
    /// <param name="lab">The lab.</param>
    /// <param name="host">Where it runs.</param>
    /// <param name="program">The path of blixard.dll.</param>
    /// <param name="arguments">The command and its options; <c>--json</c> is added.</param>
    public static LabProgram Start(InternetLab lab, LabHost host, string program, params IReadOnlyList<string> arguments) =>
        Start(host.Name, lab.Command(host, "dotnet", [program, .. arguments, "--json"]), arguments);

    /// <summary>Starts a command on this machine itself, outside of every lab.</summary>
    /// <param name="program">The path of blixard.dll.</param>
    /// <param name="arguments">The command and its options; <c>--json</c> is added.</param>
    public static LabProgram StartHere(string program, params IReadOnlyList<string> arguments) =>
        Start("here", new ProcessStartInfo("dotnet", [program, .. arguments, "--json"]), arguments);

    /// <summary>The first thing it prints that a condition holds for, from the beginning.</summary>
    /// <exception cref="LabException">It ended without, or did not in time; the message has what it printed.</exception>
    public async Task<LabEvent> UntilAsync(Func<LabEvent, bool> condition, string what) =>
        await TryUntilAsync(condition, LabNode.Patience).ConfigureAwait(false)
            ?? throw new LabException($"{_what} {(_output.HasEnded ? "ended before" : $"did not tell within {LabNode.Patience.TotalSeconds:0} s")}: {what}\n{Tail}");

    /// <summary>As <see cref="UntilAsync"/>; null if it ended without, or did not within a limit.</summary>
    public async Task<LabEvent?> TryUntilAsync(Func<LabEvent, bool> condition, TimeSpan limit)
    {
        using var end = new CancellationTokenSource(limit);
        try
        {
            return await _output.UntilAsync(condition, end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>The first event of a name.</summary>
    public async Task<JsonObject> UntilEventAsync(string name) => (await UntilAsync(seen => Is(seen, name), name).ConfigureAwait(false)).Item;

    /// <summary>Whether something printed is an event of a name.</summary>
    public static bool Is(LabEvent seen, string name) => seen.Item["event"]?.GetValue<string>() == name;

    /// <summary>Waits for the end; the exit code.</summary>
    /// <exception cref="LabException">It does not end.</exception>
    public async Task<int> WaitForEndAsync()
    {
        using var limit = new CancellationTokenSource(LabNode.Patience);
        try
        {
            await _process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            await _reading.WaitAsync(limit.Token).ConfigureAwait(false);
            return _process.ExitCode;
        }
        catch (OperationCanceledException e)
        {
            throw new LabException($"{_what} does not end\n{Tail}", e);
        }
    }

    /// <summary>SIGTERM, and the exit code.</summary>
    public Task<int> StopAsync()
    {
        LabProcess.Signal(_process.Id, LabSignal.Terminate);
        return WaitForEndAsync();
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        LabProcess.Signal(_process.Id, LabSignal.Kill);
        await WaitForEndAsync().ConfigureAwait(false);
    }

    /// <summary>Kills it if it runs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private static LabProgram Start(string place, ProcessStartInfo start, IReadOnlyList<string> arguments)
    {
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        string what = $"{place}: blixard {string.Join(' ', arguments.Select(argument => argument.Length > 40 ? argument[..40] + "…" : argument))}";
        return new LabProgram(what, Process.Start(start) ?? throw new LabException($"{what} could not be started"));
    }
}
