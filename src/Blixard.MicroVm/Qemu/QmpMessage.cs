using System.Text.Json;
using System.Text.Json.Nodes;

namespace Blixard.MicroVm.Qemu;

/// <summary>One line of the QEMU machine protocol as the server sends it (QMP specification §2).</summary>
internal abstract record QmpMessage
{
    private QmpMessage()
    {
    }

    /// <summary>The first line of a connection (§2.2).</summary>
    public sealed record Greeting(string Version) : QmpMessage;

    /// <summary>A command's result (§2.4.1).</summary>
    public sealed record Return(long Id, JsonElement Value) : QmpMessage;

    /// <summary>A command's failure (§2.4.2). The id is missing when the command could not be read.</summary>
    public sealed record Error(long? Id, string Class, string Description) : QmpMessage;

    /// <summary>Something happened (§2.5).</summary>
    public sealed record Event(string Name, JsonElement Data) : QmpMessage;

    /// <summary>Reads one line. Null, with the fault named, if it is none of the above.</summary>
    public static QmpMessage? TryParse(ReadOnlyMemory<byte> line, out string fault)
    {
        JsonElement root;
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            root = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            fault = "not JSON: " + e.Message;
            return null;
        }

        fault = "";
        if (root.ValueKind != JsonValueKind.Object)
            fault = "not a JSON object";
        else if (root.TryGetProperty("QMP", out JsonElement greeting))
            return new Greeting(VersionOf(greeting));
        else if (root.TryGetProperty("event", out JsonElement name) && name.ValueKind == JsonValueKind.String && TextOf(name) is { } eventName)
            return new Event(eventName, root.TryGetProperty("data", out JsonElement data) ? data : default);
        else if (root.TryGetProperty("return", out JsonElement value) && IdOf(root) is { } id)
            return new Return(id, value);
        else if (root.TryGetProperty("error", out JsonElement error) && error.ValueKind == JsonValueKind.Object)
            return new Error(IdOf(root), StringOf(error, "class"), StringOf(error, "desc"));
        else
            fault = "neither greeting, event, return nor error";
        return null;
    }

    /// <summary>Writes a command (§2.3) with its line end.</summary>
    public static byte[] WriteCommand(long id, string command, JsonObject? arguments)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("execute", command);
            if (arguments is not null)
            {
                writer.WritePropertyName("arguments");
                arguments.WriteTo(writer);
            }

            writer.WriteNumber("id", id);
            writer.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    private static long? IdOf(JsonElement root) =>
        root.TryGetProperty("id", out JsonElement id) && id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out long number) ? number : null;

    private static string StringOf(JsonElement element, string property) =>
        element.TryGetProperty(property, out JsonElement value) && value.ValueKind == JsonValueKind.String ? TextOf(value) ?? "" : "";

    private static string? TextOf(JsonElement element)
    {
        try
        {
            return element.GetString();
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate is JSON and yet no text.
            return null;
        }
    }

    private static string VersionOf(JsonElement greeting)
    {
        if (greeting.ValueKind != JsonValueKind.Object
            || !greeting.TryGetProperty("version", out JsonElement version) || version.ValueKind != JsonValueKind.Object
            || !version.TryGetProperty("qemu", out JsonElement qemu) || qemu.ValueKind != JsonValueKind.Object)
            return "";
        return $"{Part("major")}.{Part("minor")}.{Part("micro")}";

        string Part(string name) => qemu.TryGetProperty(name, out JsonElement number) ? number.GetRawText() : "?";
    }
}
