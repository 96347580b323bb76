using System.Diagnostics.CodeAnalysis;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Containers.Archives;

/// <summary>Named files of which a container image consists, in an archive or a directory. Thread-safe once open.</summary>
internal abstract class ImageArchive : IDisposable
{
    /// <summary>What it is called in messages.</summary>
    public required string Description { get; init; }

    /// <summary>Opens a file by its path in the archive (relative, '/' between names); the stream is the caller's.</summary>
    public abstract bool TryOpen(string name, [NotNullWhen(true)] out Stream? stream);

    /// <summary>A whole JSON document.</summary>
    /// <exception cref="ContainerImageException">It is not there or too long.</exception>
    public byte[] ReadJson(string name)
    {
        if (!TryOpen(name, out Stream? stream))
            throw ContainerImageException.NotFound($"{Description} has no {name}");
        using (stream)
        {
            if (stream.Length > ContainerLimits.JsonLengthMax)
                throw ContainerImageException.TooLarge($"{name} has {stream.Length} bytes; {ContainerLimits.JsonLengthMax} are possible");
            byte[] content = new byte[stream.Length];
            stream.ReadExactly(content);
            return content;
        }
    }

    public abstract void Dispose();
}

/// <summary>An OCI layout as a directory.</summary>
internal sealed class DirectoryArchive(string directory) : ImageArchive
{
    public override bool TryOpen(string name, [NotNullWhen(true)] out Stream? stream)
    {
        // Names come from constants and parsed digests; nothing else may lead out of the directory.
        string path = Path.GetFullPath(Path.Combine(directory, name));
        bool isInside = path.StartsWith(Path.GetFullPath(directory) + Path.DirectorySeparatorChar, StringComparison.Ordinal);
        stream = isInside && File.Exists(path) ? File.OpenRead(path) : null;
        return stream is not null;
    }

    public override void Dispose()
    {
    }
}

/// <summary>A tar archive whose files are found by an index; their content is read where it lies.</summary>
internal sealed class TarArchive : ImageArchive
{
    private readonly SafeFileHandle _file;
    private readonly Dictionary<string, (long Offset, long Length)> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _links = new(StringComparer.Ordinal);

    private TarArchive(SafeFileHandle file) => _file = file;

    /// <summary>Opens an archive and reads its headers.</summary>
    /// <param name="path">An uncompressed tar file.</param>
    /// <param name="description">What it is called in messages.</param>
    /// <exception cref="ContainerImageException">It is no tar archive, is cut off, or has too many entries.</exception>
    public static TarArchive Open(string path, string description)
    {
        var archive = new TarArchive(File.OpenHandle(path)) { Description = description };
        try
        {
            using var stream = new FileSlice(archive._file, 0, RandomAccess.GetLength(archive._file));
            archive.Index(stream);
            return archive;
        }
        catch
        {
            archive.Dispose();
            throw;
        }
    }

    public override bool TryOpen(string name, [NotNullWhen(true)] out Stream? stream)
    {
        stream = null;
        string? found = Normalize(name);
        // Old archives of docker save have a symbolic link for a layer that comes twice.
        for (int hop = 0; found is not null && hop < ContainerLimits.SymbolicLinksMax && _links.TryGetValue(found, out string? target); hop++)
            found = Normalize(target.StartsWith('/') ? target : $"{found[..(found.LastIndexOf('/') + 1)]}{target}");
        if (found is null || !_files.TryGetValue(found, out (long Offset, long Length) place))
            return false;
        stream = new FileSlice(_file, place.Offset, place.Length);
        return true;
    }

    public override void Dispose() => _file.Dispose();

    private void Index(FileSlice stream)
    {
        var reader = new TarReader(stream);
        int count = 0;
        while (reader.ReadNext() is { } entry)
        {
            if (++count > ContainerLimits.ArchiveEntriesMax)
                throw ContainerImageException.TooLarge($"{Description} has more than {ContainerLimits.ArchiveEntriesMax} files");
            string name = Normalize(entry.Path) ?? throw ContainerImageException.Hostile($"{Description} holds '{ByteText.Show(entry.Path)}', which leads out of it");
            if (entry.Kind is TarEntryKind.File or TarEntryKind.HardLink or TarEntryKind.SymbolicLink)
                Remember(name, entry, reader.ContentOffset);
        }
    }

    // As when extracting: of two with one name the later one counts.
    private void Remember(string name, TarEntry entry, long offset)
    {
        _files.Remove(name);
        _links.Remove(name);
        if (entry.Kind == TarEntryKind.File)
            _files[name] = (offset, entry.Size);
        else if (entry.Kind == TarEntryKind.SymbolicLink)
            _links[name] = entry.LinkTarget;
        else if (Normalize(entry.LinkTarget) is { } target)
            _links[name] = "/" + target;
    }

    // Null = it leads above the archive's root.
    private static string? Normalize(string path)
    {
        var parts = new List<string>();
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
            {
                if (parts.Count == 0)
                    return null;
                parts.RemoveAt(parts.Count - 1);
            }
            else if (part != ".")
            {
                parts.Add(part);
            }
        }

        return string.Join('/', parts);
    }
}
