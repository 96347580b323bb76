using System.Text.Json;
using System.Text.Json.Nodes;

namespace Blixard.Cli.Output;

/// <summary>
/// Where a command writes: JSON objects, one a line, with <c>--json</c>, otherwise text for people. Thread-safe; each line comes
/// out whole.
/// </summary>
internal sealed class CommandOutput(bool isJson, TextWriter writer)
{
    // Tickets and ids are ASCII; what else may be in a reason should be readable rather than escaped.
    private static readonly JsonSerializerOptions s_options = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly Lock _writing = new();

    /// <summary>Whether JSON is wanted.</summary>
    public bool IsJson { get; } = isJson;

    /// <summary>Writes one object with <c>--json</c>, else the text.</summary>
    public void Write(JsonObject json, string text)
    {
        lock (_writing)
        {
            writer.WriteLine(IsJson ? json.ToJsonString(s_options) : text);
            writer.Flush();
        }
    }

    /// <summary>Writes one array with <c>--json</c>, else the text.</summary>
    public void WriteList(IEnumerable<JsonObject> items, string text)
    {
        lock (_writing)
        {
            writer.WriteLine(IsJson ? new JsonArray([.. items]).ToJsonString(s_options) : text);
            writer.Flush();
        }
    }
}
