using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Blixard.Containers.Tests;

/// <summary>Builds container images as docker save and OCI tools write them. The class library's tar writer is the second opinion on our reader.</summary>
internal sealed class TestImage
{
    public List<byte[]> Layers { get; } = [];

    public JsonObject Run { get; } = new() { ["Cmd"] = new JsonArray("/app") };

    public string Architecture { get; set; } = "amd64";

    public static byte[] Tar(Action<TarWriter> write)
    {
        var stream = new MemoryStream();
        using (var writer = new TarWriter(stream, TarEntryFormat.Pax, leaveOpen: true))
            write(writer);
        return stream.ToArray();
    }

    public static byte[] Gzip(byte[] content)
    {
        var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest))
            gzip.Write(content);
        return stream.ToArray();
    }

    public static string Digest(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));

    public TestImage Layer(Action<TarWriter> write)
    {
        Layers.Add(Tar(write));
        return this;
    }

    public byte[] Configuration() => Encoding.UTF8.GetBytes(new JsonObject
    {
        ["architecture"] = Architecture,
        ["os"] = "linux",
        ["config"] = Run.DeepClone(),
        ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray([.. Layers.Select(layer => JsonValue.Create(Digest(layer)))]) },
    }.ToJsonString());

    /// <summary>As docker save wrote it before version 25.</summary>
    public byte[] DockerArchive(string? tag = "demo:1", Func<byte[], byte[]>? pack = null) => Tar(writer =>
    {
        byte[] configuration = Configuration();
        string configName = Digest(configuration)[7..] + ".json";
        var names = new JsonArray();
        for (int i = 0; i < Layers.Count; i++)
        {
            names.Add($"layer{i}/layer.tar");
            writer.AddFile($"layer{i}/layer.tar", pack is null ? Layers[i] : pack(Layers[i]));
        }

        writer.AddFile(configName, configuration);
        writer.AddFile("manifest.json", Encoding.UTF8.GetBytes(new JsonArray(new JsonObject
        {
            ["Config"] = configName,
            ["RepoTags"] = tag is null ? null : new JsonArray(tag),
            [nameof(Layers)] = names,
        }).ToJsonString()));
    });

    /// <summary>The files of an OCI layout, by name.</summary>
    public Dictionary<string, byte[]> OciFiles(string? name = "demo:1", Action<JsonObject>? changeManifest = null, Action<JsonObject>? changeIndex = null)
    {
        var files = new Dictionary<string, byte[]> { ["oci-layout"] = """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray() };
        var layers = new JsonArray();
        foreach (byte[] layer in Layers)
            layers.Add(Add(Gzip(layer), "application/vnd.oci.image.layer.v1.tar+gzip"));
        var manifest = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["config"] = Add(Configuration(), "application/vnd.oci.image.config.v1+json"),
            ["layers"] = layers,
        };
        changeManifest?.Invoke(manifest);
        JsonObject descriptor = Add(Encoding.UTF8.GetBytes(manifest.ToJsonString()), "application/vnd.oci.image.manifest.v1+json");
        descriptor["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = Architecture };
        var arm = (JsonObject)descriptor.DeepClone();
        arm["platform"]!["architecture"] = "arm64";
        JsonObject list = Add(
            Encoding.UTF8.GetBytes(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(arm, descriptor) }.ToJsonString()),
            "application/vnd.oci.image.index.v1+json");
        if (name is not null)
            list["annotations"] = new JsonObject { ["org.opencontainers.image.ref.name"] = name };
        var index = new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(list) };
        changeIndex?.Invoke(index);
        files["index.json"] = Encoding.UTF8.GetBytes(index.ToJsonString());
        return files;

        JsonObject Add(byte[] content, string mediaType)
        {
            files[$"blobs/sha256/{Digest(content)[7..]}"] = content;
            return new JsonObject { ["mediaType"] = mediaType, ["digest"] = Digest(content), ["size"] = content.Length };
        }
    }

    /// <summary>As docker save writes it since version 25: an OCI layout with a manifest.json that names its blobs.</summary>
    public Dictionary<string, byte[]> NewDockerFiles()
    {
        Dictionary<string, byte[]> files = OciFiles();
        files["manifest.json"] = Encoding.UTF8.GetBytes(new JsonArray(new JsonObject
        {
            ["Config"] = $"blobs/sha256/{Digest(Configuration())[7..]}",
            ["RepoTags"] = new JsonArray("demo:1"),
            [nameof(Layers)] = new JsonArray([.. Layers.Select(layer => JsonValue.Create($"blobs/sha256/{Digest(Gzip(layer))[7..]}"))]),
        }).ToJsonString());
        return files;
    }

    public static byte[] Archive(Dictionary<string, byte[]> files) => Tar(writer =>
    {
        foreach ((string name, byte[] content) in files)
            writer.AddFile(name, content);
    });
}

/// <summary>Entries in one line each.</summary>
internal static class TarWriterExtensions
{
    public static void AddFile(this TarWriter writer, string path, byte[] content, int mode = 0x1A4, int uid = 0, int gid = 0, string? time = null) =>
        writer.WriteEntry(Entry(TarEntryType.RegularFile, path, mode, uid, gid, time, content));

    public static void AddFile(this TarWriter writer, string path, string content, int mode = 0x1A4, int uid = 0, int gid = 0, string? time = null) =>
        writer.AddFile(path, Encoding.UTF8.GetBytes(content), mode, uid, gid, time);

    public static void AddDirectory(this TarWriter writer, string path, int mode = 0x1ED, int uid = 0, int gid = 0) =>
        writer.WriteEntry(Entry(TarEntryType.Directory, path, mode, uid, gid, null, null));

    public static void AddSymbolicLink(this TarWriter writer, string path, string target)
    {
        PaxTarEntry entry = Entry(TarEntryType.SymbolicLink, path, 0x1FF, 0, 0, null, null);
        entry.LinkName = target;
        writer.WriteEntry(entry);
    }

    public static void AddHardLink(this TarWriter writer, string path, string target)
    {
        PaxTarEntry entry = Entry(TarEntryType.HardLink, path, 0x1A4, 0, 0, null, null);
        entry.LinkName = target;
        writer.WriteEntry(entry);
    }

    public static void AddOther(this TarWriter writer, TarEntryType type, string path) => writer.WriteEntry(Entry(type, path, 0x1A4, 0, 0, null, null));

    private static PaxTarEntry Entry(TarEntryType type, string path, int mode, int uid, int gid, string? time, byte[]? content)
    {
        var entry = new PaxTarEntry(type, path)
        {
            Mode = (UnixFileMode)mode,
            Uid = uid,
            Gid = gid,
            ModificationTime = DateTimeOffset.Parse(time ?? "2024-05-06T07:08:09Z"),
        };
        if (content is not null)
            entry.DataStream = new MemoryStream(content);
        return entry;
    }
}
