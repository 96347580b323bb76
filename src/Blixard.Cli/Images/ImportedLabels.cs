using Blixard.Images.Manifests;

namespace Blixard.Cli.Images;

/// <summary>Which labels an imported image gets. Pure.</summary>
internal static class ImportedLabels
{
    /// <summary>The label that says which container image it was; no other label takes its place.</summary>
    public const string DigestKey = "container.digest";

    // As long as a digest will ever be, for checking before there is one.
    private static readonly string s_anyDigest = new('0', ImageManifest.LabelLengthMax);

    /// <summary>Says what is wrong with the labels that the user asks for, or null.</summary>
    public static string? Check(IReadOnlyDictionary<string, string> asked) => asked.ContainsKey(DigestKey)
        ? $"the label {DigestKey} says which container image it was, and cannot be another"
        : ImageManifest.CheckLabels(new Dictionary<string, string>(asked) { [DigestKey] = s_anyDigest });

    /// <summary>The digest, what the user asks for, and of the container image's own labels, by key, those that keep the rules, for as long as
    /// there is room.</summary>
    /// <returns>The labels, and how many of the container image's were left out because of the rules or the room.</returns>
    public static (IReadOnlyDictionary<string, string> Labels, int LeftOut) Of(
        string digest, IReadOnlyDictionary<string, string> asked, IReadOnlyDictionary<string, string> container)
    {
        var labels = new Dictionary<string, string>(asked, StringComparer.Ordinal) { [DigestKey] = digest };
        int leftOut = 0;
        foreach ((string key, string value) in container.OrderBy(static label => label.Key, StringComparer.Ordinal))
        {
            if (labels.ContainsKey(key))
                continue;
            labels.Add(key, value);
            if (ImageManifest.CheckLabels(labels) is null)
                continue;
            labels.Remove(key);
            leftOut++;
        }

        return (labels, leftOut);
    }
}
