using System.Collections.Immutable;
using Iroh.Blobs;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Store;

namespace Blixard.Cli.Blobs;

/// <summary>Files that are given out: one by itself, or several as a collection with their names.</summary>
/// <param name="Content">What is fetched.</param>
/// <param name="Bytes">Of all files.</param>
/// <param name="Count">How many files.</param>
internal sealed record SharedFiles(HashAndFormat Content, long Bytes, int Count)
{
    // What one list of names can be expected to hold, and a person to share.
    private const int FilesMax = 100_000;

    /// <summary>Adds the files to a store; they stay where they are and must not change.</summary>
    /// <param name="store">Where to.</param>
    /// <param name="paths">Files and folders.</param>
    /// <param name="progress">Told the bytes that were hashed so far, and of how many.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="CommandException">A path leads to nothing, or to too much.</exception>
    public static async Task<SharedFiles> AddAsync(
        IBlobStore store, IReadOnlyList<string> paths, Action<long, long> progress, CancellationToken cancellationToken)
    {
        List<(string Path, string Name)> files = Find(paths);
        long total = files.Sum(static file => new FileInfo(file.Path).Length);
        long before = 0;
        var entries = ImmutableArray.CreateBuilder<CollectionEntry>(files.Count);
        foreach ((string path, string name) in files)
        {
            TempTag added = await store.AddFileAsync(
                path, ImportMode.Reference, BlobFormat.Raw, hashed => progress(before + hashed, total), cancellationToken).ConfigureAwait(false);
            before += added.Size;
            entries.Add(new CollectionEntry(name, added.Hash));
        }

        if (entries is [var only] && File.Exists(paths[0]))
            return new SharedFiles(new HashAndFormat(only.Hash, BlobFormat.Raw), before, 1);
        var collection = new Collection(entries.ToImmutable());
        await store.AddBytesAsync(collection.NamesToBytes(), BlobFormat.Raw, cancellationToken).ConfigureAwait(false);
        TempTag root = await store.AddBytesAsync(collection.ToHashSequence().Bytes, BlobFormat.HashSequence, cancellationToken).ConfigureAwait(false);
        return new SharedFiles(root.Content, before, files.Count);
    }

    private static List<(string Path, string Name)> Find(IReadOnlyList<string> paths)
    {
        var files = new List<(string Path, string Name)>();
        foreach (string path in paths.Select(Path.GetFullPath))
        {
            if (File.Exists(path))
            {
                files.Add((path, Path.GetFileName(path)));
                continue;
            }

            if (!Directory.Exists(path))
                throw new CommandException(ExitCode.Usage, $"There is no file or folder {path}.");
            string top = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
            foreach (string file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                files.Add((file, $"{top}/{Path.GetRelativePath(path, file).Replace(Path.DirectorySeparatorChar, '/')}"));
                if (files.Count > FilesMax)
                    throw new CommandException(ExitCode.Usage, $"{path} holds more than {FilesMax} files. Share an archive of it instead.");
            }
        }

        return files.Count > 0 ? files : throw new CommandException(ExitCode.Usage, $"There is no file in {string.Join(", ", paths)}.");
    }
}
