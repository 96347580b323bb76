using System.Globalization;
using System.Text;

namespace Blixard.Etcd.Metrics;

/// <summary>What etcd says of itself on its <c>/metrics</c> page, as far as an operator of the cluster needs it. Immutable.</summary>
/// <remarks>The rest of the page, some 1,400 lines about its runtime and its inner works, is left out.</remarks>
public sealed class EtcdPage
{
    /// <summary>Nothing: etcd does not run or does not answer.</summary>
    public static readonly EtcdPage Empty = new("", new Dictionary<string, double>());

    // Latencies of the disk under the log and the database, the member's view of the cluster, its proposals, its size.
    private static readonly string[] s_families =
    [
        "etcd_disk_wal_fsync_duration_seconds", "etcd_disk_backend_commit_duration_seconds", "etcd_network_peer_round_trip_time_seconds",
        "etcd_server_", "etcd_mvcc_db_total_size",
    ];

    private readonly Dictionary<string, double> _values;

    private EtcdPage(string text, Dictionary<string, double> values) => (Text, _values) = (text, values);

    /// <summary>The lines that were kept, as etcd wrote them, each ending with a line feed; "" if there are none.</summary>
    public string Text { get; }

    /// <summary>Reads a page. Lines that are none of the format are left out.</summary>
    public static EtcdPage Parse(string page)
    {
        ArgumentNullException.ThrowIfNull(page);
        var text = new StringBuilder();
        var values = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (ReadOnlySpan<char> line in page.AsSpan().EnumerateLines())
        {
            bool isComment = line.StartsWith("# HELP ") || line.StartsWith("# TYPE ");
            ReadOnlySpan<char> name = isComment ? line[7..] : line;
            if (!IsKept(name))
                continue;
            if (!isComment)
            {
                int space = line.LastIndexOf(' ');
                if (space <= 0 || !double.TryParse(line[(space + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
                    continue;
                values[line[..space].ToString()] = value;
            }

            text.Append(line).Append('\n');
        }

        return new EtcdPage(text.ToString(), values);
    }

    /// <summary>The value of a series.</summary>
    /// <param name="series">Its name with its labels as on the page, such as <c>etcd_server_has_leader</c>.</param>
    /// <returns>Null if the page does not have it.</returns>
    public double? this[string series] => _values.TryGetValue(series, out double value) ? value : null;

    private static bool IsKept(ReadOnlySpan<char> name)
    {
        foreach (string family in s_families)
        {
            if (name.StartsWith(family, StringComparison.Ordinal))
                return true;
        }

        return false;
    }
}
