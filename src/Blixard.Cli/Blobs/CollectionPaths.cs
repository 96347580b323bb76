using Iroh.Blobs.Formats;

namespace Blixard.Cli.Blobs;

/// <summary>Where the files of a collection go. A peer wrote their names: none may lead out of the folder, or fall together with another.</summary>
internal static class CollectionPaths
{
    // As file systems have it.
    private const int PartLengthMax = 255;
    private const int LengthMax = 4096;

    /// <summary>The files' paths below a folder, in the collection's order.</summary>
    /// <exception cref="CommandException">A name is no safe path; the message has it.</exception>
    public static IReadOnlyList<string> Of(Collection collection, string folder)
    {
        var paths = new List<string>(collection.Entries.Length);
        var files = new HashSet<string>(StringComparer.Ordinal);
        var folders = new HashSet<string>(StringComparer.Ordinal);
        foreach (CollectionEntry entry in collection.Entries)
        {
            if (WrongWith(entry.Name) is { } wrong)
                throw new CommandException(ExitCode.Failed, $"The collection has a file named {Shown(entry.Name)}, which is not stored: {wrong}.");
            if (!files.Add(entry.Name))
                throw new CommandException(ExitCode.Failed, $"The collection has two files named {Shown(entry.Name)}.");
            for (int slash = entry.Name.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = entry.Name.IndexOf('/', slash + 1))
                folders.Add(entry.Name[..slash]);
            paths.Add(Path.Combine([folder, .. entry.Name.Split('/')]));
        }

        return files.FirstOrDefault(folders.Contains) is { } both
            ? throw new CommandException(ExitCode.Failed, $"In the collection {Shown(both)} is a file and a folder.")
            : paths;
    }

    private static string? WrongWith(string name)
    {
        if (name.Length is 0 or > LengthMax)
            return $"it has {name.Length} characters";
        if (name.AsSpan().ContainsAny('\0', '\\'))
            return "it has a zero or a backslash in it";
        foreach (string part in name.Split('/'))
        {
            if (part.Length == 0)
                return "it is absolute or has an empty part";
            if (part is "." or "..")
                return "it leads out of the folder";
            if (System.Text.Encoding.UTF8.GetByteCount(part) > PartLengthMax)
                return $"a part of it is longer than {PartLengthMax} bytes";
        }

        return null;
    }

    private static string Shown(string name) =>
        $"'{string.Concat((name.Length <= 200 ? name : name[..200] + "…").Select(static c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString()))}'";
}
