using System.Globalization;
using System.Text;

namespace Blixard.Node.Metrics;

/// <summary>Writes metrics as the text that Prometheus and its kin read (exposition format 0.0.4).</summary>
internal static class MetricsText
{
    /// <summary>The media type of the text.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>The page.</summary>
    public static string Render(IEnumerable<MetricFamily> families)
    {
        var text = new StringBuilder();
        foreach (MetricFamily family in families)
        {
            string name = NameOf(family);
            text.Append("# HELP ").Append(name).Append(' ').Append(family.Help.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal)).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(family.Kind.ToString().ToLowerInvariant()).Append('\n');
            foreach (MetricSample sample in family.Samples)
                Append(text, name, sample);
        }

        return text.ToString();
    }

    /// <summary>The metric's name on the page: dots become underscores, units are spelt out, counters end in <c>_total</c>.</summary>
    public static string NameOf(MetricFamily family)
    {
        var name = new StringBuilder(family.Name.Length + 16);
        foreach (char c in family.Name)
            name.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
        string unit = family.Unit switch { "s" => "_seconds", "ms" => "_milliseconds", "By" => "_bytes", _ => "" };
        if (!family.Name.EndsWith(unit.TrimStart('_'), StringComparison.Ordinal))
            name.Append(unit);
        if (family.Kind == MetricKind.Counter)
            name.Append("_total");
        return name.ToString();
    }

    private static void Append(StringBuilder text, string name, MetricSample sample)
    {
        if (sample.Buckets is not { } buckets)
        {
            AppendLine(text, name, sample.Tags, null, sample.Value);
            return;
        }

        for (int i = 0; i < buckets.Count; i++)
        {
            string bound = i < HistogramBounds.Seconds.Length ? HistogramBounds.Seconds[i].ToString(CultureInfo.InvariantCulture) : "+Inf";
            AppendLine(text, name + "_bucket", sample.Tags, bound, buckets[i]);
        }

        AppendLine(text, name + "_sum", sample.Tags, null, sample.Value);
        AppendLine(text, name + "_count", sample.Tags, null, buckets[^1]);
    }

    private static void AppendLine(
        StringBuilder text, string name, IReadOnlyList<KeyValuePair<string, string>> tags, string? bound, double value)
    {
        text.Append(name);
        if (tags.Count > 0 || bound is not null)
        {
            text.Append('{');
            text.AppendJoin(',', tags.Append(new KeyValuePair<string, string>("le", bound ?? "")).Take(tags.Count + (bound is null ? 0 : 1))
                .Select(tag => $"{Label(tag.Key)}=\"{Escape(tag.Value)}\""));
            text.Append('}');
        }

        text.Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
    }

    private static string Label(string key) => string.Concat(key.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));

    private static string Escape(string value) =>
        value.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);
}
