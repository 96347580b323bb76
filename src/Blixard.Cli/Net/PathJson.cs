using System.Text.Json.Nodes;
using Iroh;

namespace Blixard.Cli.Net;

/// <summary>How a path is shown.</summary>
internal static class PathJson
{
    public static JsonObject Create(IrohPath path) => new()
    {
        ["kind"] = path.Kind.ToString().ToLowerInvariant(),
        ["remote"] = path.RemoteText,
        ["rttMs"] = Milliseconds(path.RoundTripTime),
    };

    public static string ToText(IrohPath path) =>
        $"{path.Kind.ToString().ToLowerInvariant()} {path.RemoteText} {Milliseconds(path.RoundTripTime)} ms";

    /// <summary>Milliseconds with microseconds behind the point.</summary>
    public static double Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds, 3);
}
