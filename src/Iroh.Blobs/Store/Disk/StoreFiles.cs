namespace Iroh.Blobs.Store.Disk;

/// <summary>Where a store's files are below its directory. No I/O but for listing.</summary>
internal sealed class StoreFiles(string root)
{
    private const string DataEnding = ".data";
    private const string OutboardEnding = ".outboard";

    public string Root { get; } = root;

    /// <summary>Locked by the process that has the store.</summary>
    public string Lock => Path.Combine(Root, "lock");

    /// <summary>The number of that process, for messages.</summary>
    public string Process => Path.Combine(Root, "process");

    public string Index => Path.Combine(Root, "index.db");

    /// <summary>Imports, of no use to a later process.</summary>
    public string Temporary => Path.Combine(Root, "temp");

    /// <summary>Records of partial blobs, named by hash.</summary>
    public string Partials => Path.Combine(Root, "partial");

    /// <summary>Content and outboards, in folders by the first byte of the hash.</summary>
    public string Content => Path.Combine(Root, "data");

    public string Data(BlobHash hash) => Path.Combine(Folder(hash), hash + DataEnding);

    public string Outboard(BlobHash hash) => Path.Combine(Folder(hash), hash + OutboardEnding);

    public string Record(BlobHash hash) => Path.Combine(Partials, hash.ToString());

    public string Folder(BlobHash hash) => Path.Combine(Content, hash.ToString()[..2]);

    /// <summary>The files of content and outboards, with the hash that they are named by; null if they have no such name.</summary>
    public IEnumerable<(string Path, BlobHash? Hash)> ListContent()
    {
        foreach (string file in Directory.EnumerateFiles(Content, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetFileName(file);
            string ending = Path.GetExtension(name);
            yield return (
                file,
                ending is DataEnding or OutboardEnding && BlobHash.TryParse(name[..^ending.Length], out BlobHash hash) ? hash : null);
        }
    }
}
