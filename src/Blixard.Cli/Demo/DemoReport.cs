using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Blixard.Cli.Output;

namespace Blixard.Cli.Demo;

/// <summary>What the demo did and saw: shown line by line, then as a table, and as JSON.</summary>
internal sealed class DemoReport(TextWriter writer)
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly List<Step> _steps = [];

    /// <summary>Begins a step: its title stands there while it runs.</summary>
    public void Begin(string title)
    {
        writer.Write(string.Create(CultureInfo.InvariantCulture, $"{_steps.Count + 1,2}  {title} … "));
        writer.Flush();
    }

    /// <summary>Ends the step that was begun.</summary>
    public void End(string title, bool ok, TimeSpan duration, string seen, JsonObject? facts)
    {
        seen = seen.Trim();
        _steps.Add(new Step(title, ok, duration, seen, facts));
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(ok ? "ok" : "FAILED")} ({duration.TotalSeconds:0.0} s)"));
        foreach (string line in seen.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            writer.WriteLine($"      {line}");
        writer.Flush();
    }

    /// <summary>All steps with their times.</summary>
    public void WriteTable()
    {
        writer.WriteLine();
        writer.WriteLine(TextTable.Render(
            ["", "STEP", "RESULT", "SECONDS"],
            _steps.Select((step, i) => (string[])
            [
                $"{i + 1,2}",
                step.Title,
                step.IsOk ? "ok" : "FAILED",
                step.Duration.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture).PadLeft(7),
            ]).Append(["", "all", _steps.All(step => step.IsOk) ? "ok" : "FAILED", Total().ToString("0.0", CultureInfo.InvariantCulture).PadLeft(7)])));
        writer.Flush();
    }

    /// <summary>The summary that <c>--json</c> writes.</summary>
    public string ToJson() => new JsonObject
    {
        ["ok"] = _steps.All(step => step.IsOk),
        ["seconds"] = Math.Round(Total(), 3),
        ["steps"] = new JsonArray([.. _steps.Select(step => new JsonObject
        {
            ["step"] = step.Title,
            ["ok"] = step.IsOk,
            ["seconds"] = Math.Round(step.Duration.TotalSeconds, 3),
            ["seen"] = step.Seen,
            ["facts"] = step.Facts?.DeepClone(),
        })]),
    }.ToJsonString(s_options);

    private double Total() => _steps.Sum(step => step.Duration.TotalSeconds);

    private sealed record Step(string Title, bool IsOk, TimeSpan Duration, string Seen, JsonObject? Facts);
}
