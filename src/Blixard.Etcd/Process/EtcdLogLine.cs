using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Blixard.Etcd.Process;

/// <summary>One line that etcd wrote, for our log.</summary>
/// <param name="Level">etcd's level, lowered to debug where the line says what is normal here.</param>
/// <param name="Text">Message, error and the fields that tell something, as one readable line.</param>
/// <param name="Message">etcd's message alone; of a line that is no JSON, the line.</param>
/// <param name="Error">The error that the line reports; empty if none.</param>
/// <param name="IsOfPeers">Whether it tells of the connections to other members.</param>
internal sealed record EtcdLogLine(LogLevel Level, string Text, string Message, string Error, bool IsOfPeers = false)
{
    /// <summary>How long a line for our log gets; etcd's start line alone has 1500 characters of settings.</summary>
    public const int TextMax = 400;

    /// <summary>What everybody reads elsewhere (time, level, our own ids and paths), or nobody (stack traces).</summary>
    private static readonly SearchValues<string> DroppedFields = SearchValues.Create(
        ["level", "ts", "caller", "msg", "error", "stacktrace", "local-member-id", "cluster-id", "data-dir", "advertise-client-urls", "listen-client-urls"],
        StringComparison.Ordinal);

    /// <summary>
    /// Where lines of level info speak of the inner workings: they are for those who look for a fault. What Raft elects is said by
    /// raft/node.go, who the members are by etcdserver/ and membership/.
    /// </summary>
    private static readonly string[] InnerCallers =
        ["raft/raft.go", "raft/log.go", "fileutil/", "embed/", "etcdserver/quota.go", "etcdserver/backend.go", "rafthttp/", "auth/", "mvcc/", "wal/", "snap/"];

    /// <summary>
    /// Warnings about what we chose or already tell: sockets in a directory of our own instead of TLS, tokens of an authentication that is off,
    /// each probe of a member of whose absence the first failed message has told, and each stream between members, of which several come and
    /// go with every member that starts or ends: "lost" and "peer became inactive" say when one is missed.
    /// A request that cannot be applied, such as the end of a lease that has ended, is answered to whoever sent it, and told again at each replay.
    /// </summary>
    private static readonly string[] ExpectedWarnings =
    [
        "serving client traffic insecurely", "simple token is not cryptographically signed", "prober detected unhealthy status",
        "prober found high clock drift", "established TCP streaming connection", "closed TCP streaming connection", "stopped TCP streaming connection",
        "failed to apply request",
    ];

    /// <summary>Whether it belongs into a reason for people why etcd does not serve, or ended. Connections to others that break are no such
    /// reason: their "unexpected EOF" says nothing about this member's data.</summary>
    public bool IsTrouble => Level >= LogLevel.Warning && !IsOfPeers;

    /// <summary>Reads a line; whatever is not etcd's JSON is taken as it is. Never throws.</summary>
    /// <param name="line">The line without its end, at most <see cref="EtcdOutput.LineBytesMax"/> bytes.</param>
    public static EtcdLogLine Read(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            if (JsonDocument.TryParseValue(ref reader, out JsonDocument? document))
            {
                using (document)
                {
                    if (document.RootElement.ValueKind == JsonValueKind.Object)
                        return Of(document.RootElement);
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A plain line: a panic, the shell, or the first words of etcd before it knows how to log. The second is how the reader speaks of
            // a string that is no Unicode.
        }

        return Plain(Printable(Encoding.UTF8.GetString(line)));
    }

    private static EtcdLogLine Of(JsonElement root)
    {
        string message = Printable(StringOf(root, "msg"));
        string error = Printable(StringOf(root, "error"));
        var text = new StringBuilder(message);
        if (error.Length > 0)
            text.Append(": ").Append(error);
        int fields = 0;
        foreach (JsonProperty field in root.EnumerateObject())
        {
            if (DroppedFields.Contains(field.Name) || text.Length > TextMax)
                continue;
            text.Append(fields++ == 0 ? " (" : ", ").Append(Printable(field.Name)).Append('=').Append(Printable(ValueOf(field.Value)));
        }

        if (fields > 0)
            text.Append(')');
        string caller = StringOf(root, "caller");
        return new EtcdLogLine(
            LevelOf(StringOf(root, "level"), caller, message), Cut(text.ToString()), Cut(message), Cut(error), caller.StartsWith("rafthttp/", StringComparison.Ordinal));
    }

    private static EtcdLogLine Plain(string line)
    {
        bool fatal = line.StartsWith("panic:", StringComparison.Ordinal) || line.StartsWith("fatal error:", StringComparison.Ordinal);
        bool shell = line.StartsWith("etcd: ", StringComparison.Ordinal) || line.StartsWith("setsid: ", StringComparison.Ordinal);
        LogLevel level = fatal ? LogLevel.Critical : shell ? LogLevel.Error : LogLevel.Debug;
        return new EtcdLogLine(level, Cut(line), Cut(line), "");
    }

    private static LogLevel LevelOf(string level, string caller, string message) => level switch
    {
        "debug" => LogLevel.Debug,
        "warn" => Array.Exists(ExpectedWarnings, text => message.StartsWith(text, StringComparison.Ordinal)) ? LogLevel.Debug : LogLevel.Warning,
        "error" => LogLevel.Error,
        "dpanic" or "panic" or "fatal" => LogLevel.Critical,
        _ => Array.Exists(InnerCallers, prefix => caller.StartsWith(prefix, StringComparison.Ordinal))
            || Array.Exists(ExpectedWarnings, text => message.StartsWith(text, StringComparison.Ordinal))
                ? LogLevel.Debug
                : LogLevel.Information,
    };

    private static string StringOf(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static string ValueOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    /// <summary>One line: what would break it, or move a terminal's cursor, becomes a space.</summary>
    private static string Printable(string text) =>
        text.AsSpan().IndexOfAnyInRange('\0', '\x1f') < 0 && !text.Contains('\x7f', StringComparison.Ordinal)
            ? text
            : string.Create(text.Length, text, static (span, source) =>
            {
                for (int i = 0; i < span.Length; i++)
                    span[i] = char.IsControl(source[i]) ? ' ' : source[i];
            });

    private static string Cut(string text) => text.Length <= TextMax ? text : text[..(TextMax - 1)] + "…";
}
