using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Blixard.FakeQemu;

/// <summary>QEMU's machine protocol as far as a node speaks it: every command is answered, and a request to power off or quit is obeyed.</summary>
internal sealed class ControlSocket : IDisposable
{
    private readonly Listener _listener;
    private readonly string _uuid;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ControlSocket(string path, string uuid)
    {
        _uuid = uuid;
        _listener = new Listener(path);
        _ = AcceptAsync();
    }

    /// <summary>Ends when the machine was asked to.</summary>
    public Task Ended => _ended.Task;

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        while (!_ended.Task.IsCompleted)
            _ = ServeAsync(await _listener.AcceptAsync());
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            using var reader = new StreamReader(stream);
            await using var writer = new StreamWriter(stream) { AutoFlush = true, NewLine = "\n" };
            await writer.WriteLineAsync("""{"QMP":{"version":{"qemu":{"micro":0,"minor":2,"major":7},"package":""},"capabilities":[]}}""");
            while (await reader.ReadLineAsync() is { } line)
                await AnswerAsync(JsonNode.Parse(line)!, writer);
        }
        catch (IOException)
        {
            // The node went away; the machine runs on.
        }
    }

    private async Task AnswerAsync(JsonNode command, StreamWriter writer)
    {
        string name = command["execute"]!.GetValue<string>();
        JsonNode result = name switch
        {
            "query-uuid" => new JsonObject { ["UUID"] = _uuid },
            "query-kvm" => new JsonObject { ["enabled"] = false, ["present"] = false },
            _ => new JsonObject(),
        };
        await writer.WriteLineAsync(new JsonObject { ["return"] = result, ["id"] = command["id"]?.DeepClone() }.ToJsonString());
        if (name is not ("quit" or "system_powerdown"))
            return;
        bool asked = name == "system_powerdown";
        await writer.WriteLineAsync(new JsonObject
        {
            ["event"] = "SHUTDOWN",
            ["data"] = new JsonObject { ["guest"] = asked, ["reason"] = asked ? "guest-shutdown" : "host-qmp-quit" },
        }.ToJsonString());
        _ended.TrySetResult();
    }
}
