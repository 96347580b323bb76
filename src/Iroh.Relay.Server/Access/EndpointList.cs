using System.Collections.Frozen;
using Iroh.Base;

namespace Iroh.Relay.Server.Access;

/// <summary>
/// A list of endpoint ids, fixed or from a file that is read again when it has changed. Thread-safe.
/// </summary>
public sealed class EndpointList
{
    /// <summary>The longest file that is read: some 250,000 ids with a remark each.</summary>
    public const long FileLengthMax = 32 * 1024 * 1024;

    private readonly WatchedFile<FrozenSet<EndpointId>>? _file;
    private readonly FrozenSet<EndpointId> _fixed = [];

    /// <summary>A list that does not change.</summary>
    public EndpointList(IEnumerable<EndpointId> ids) => _fixed = ids.ToFrozenSet();

    private EndpointList(WatchedFile<FrozenSet<EndpointId>> file) => _file = file;

    /// <summary>
    /// A list that is the content of a file: one id a line, as iroh writes them; what follows a <c>#</c> is a remark. When the file has
    /// changed, it is read again before the next question, at most once a second; if it cannot be read then, what it said before holds.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="time">Says when a second has passed.</param>
    /// <param name="onProblem">Is told why a changed file could not be read.</param>
    /// <exception cref="RelayServerException">The file cannot be read, or a line of it is no id.</exception>
    public static EndpointList FromFile(string path, TimeProvider? time = null, Action<string>? onProblem = null) =>
        new(new WatchedFile<FrozenSet<EndpointId>>([path], paths => Read(paths[0]), time ?? TimeProvider.System, onProblem));

    /// <summary>Whether the list names an id.</summary>
    public bool Contains(EndpointId id) => (_file?.Current ?? _fixed).Contains(id);

    private static FrozenSet<EndpointId> Read(string path)
    {
        if (new FileInfo(path).Length > FileLengthMax)
            throw new RelayServerException($"The list {path} is longer than {FileLengthMax / 1024 / 1024} MiB.");
        var ids = new HashSet<EndpointId>();
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            ReadOnlySpan<char> text = line.AsSpan();
            int remark = text.IndexOf('#');
            text = (remark < 0 ? text : text[..remark]).Trim();
            if (text.IsEmpty)
                continue;
            if (!EndpointId.TryParse(text, out EndpointId id))
            {
                throw new RelayServerException(
                    $"Line {number} of {path} is not an endpoint id: expected 64 lower-case hex digits (or 52 characters of base 32).");
            }

            ids.Add(id);
        }

        return ids.ToFrozenSet();
    }
}
