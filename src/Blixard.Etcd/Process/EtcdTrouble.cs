using System.Globalization;

namespace Blixard.Etcd.Process;

/// <summary>What etcd complained about in one run, and what that means for people. Pure; one owner.</summary>
internal sealed class EtcdTrouble
{
    /// <summary>How many complaints are kept: the last one is often only what followed from the one before it.</summary>
    private const int ComplaintsMax = 3;

    private const string RemovedText = "has been permanently removed from the cluster";

    /// <summary>What etcd says when its files cannot be what it wrote: log, snapshot, database.</summary>
    private static readonly string[] DamageTexts =
        ["crc mismatch", "invalid database", "checksum error", "version mismatch", "invalid page", "invalid freelist", "freepages:",
         "failed to recover v3 backend from snapshot", "failed to read WAL", "wal: file not found", "wal: max entry size", "slice out of range",
         "cannot use none as id", "unexpected EOF", "wrong wire type", "illegal wireType", "illegal tag", "snap: ", "was the raft log corrupted",
         "failed to find database snapshot file"];

    private readonly List<EtcdLogLine> _complaints = [];

    /// <summary>What a complaint means while etcd has not begun to serve.</summary>
    public static string Explain(EtcdLogLine line) => line.Message.StartsWith("failed to publish local member", StringComparison.Ordinal)
        ? "it waits for a leader: most of the cluster's servers are needed to elect one"
        : line.Text;

    /// <summary>Whether etcd said that the cluster has removed this member for good.</summary>
    public bool Removed { get; private set; }

    /// <summary>Takes note of a line.</summary>
    public void Add(EtcdLogLine line)
    {
        Removed |= line.Error.Contains(RemovedText, StringComparison.Ordinal) || line.Message.Contains(RemovedText, StringComparison.Ordinal);
        if (!line.IsTrouble)
            return;
        if (_complaints.Count == ComplaintsMax)
            _complaints.RemoveAt(0);
        _complaints.Add(line);
    }

    /// <summary>Why etcd ended, and what to do about it.</summary>
    /// <param name="exitCode">What it left: 128 + n for signal n.</param>
    /// <param name="directory">Its directory, for the sentence.</param>
    public string Describe(int exitCode, string directory)
    {
        string data = $"{directory}/{EtcdCommandLine.DataDirectory}";
        string said = string.Join("; ", _complaints.Select(static line => line.Text).Distinct(StringComparer.Ordinal));
        if (Removed)
            return "the cluster has removed this server; to bring it back, join again with a new ticket";
        if (Says("no space left on device") || Says("disk quota exceeded"))
            return $"the disk that holds {data} is full; make room, then etcd starts by itself ({said})";
        if (Says("input/output error") || Says("read-only file system"))
            return $"the disk that holds {data} fails; once it works again etcd starts by itself ({said})";
        if (Says("permission denied"))
            return $"etcd may not use its directory {directory}; give it back to the user who runs this node ({said})";
        if (Says("another etcd process is using") || Says("resource temporarily unavailable") || Says("file already locked"))
            return $"another etcd uses the data in {data}; end it ({said})";
        if (Says("could not retrieve cluster information"))
            return $"none of the cluster's other servers could be reached to join ({said})";
        if (Says("member count is unequal") || Says("unmatched member while checking PeerURLs") || Says("has already been bootstrapped"))
            return $"the cluster's list of members changed while this server joined; join again ({said})";
        if (Array.Exists(DamageTexts, Says))
        {
            return $"the data in {data} are damaged ({said}); if the cluster has other servers, remove this one there and join again with an empty "
                + "data directory, else restore a backup";
        }

        string end = exitCode > 128
            ? string.Create(CultureInfo.InvariantCulture, $"etcd was ended by signal {exitCode - 128}")
            : string.Create(CultureInfo.InvariantCulture, $"etcd ended with exit code {exitCode}");
        return said.Length == 0 ? end : $"{end} ({said})";
    }

    private bool Says(string text) => _complaints.Exists(line => line.Text.Contains(text, StringComparison.OrdinalIgnoreCase));
}
