using System.Text.Json;
using System.Text.Json.Serialization;

namespace Blixard.Node.Storage;

/// <summary>What a node remembers of itself between starts, in <c>node.json</c>. Immutable.</summary>
internal sealed record NodeFile
{
    private const int LengthMax = 1 << 20;

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The cluster that it belongs to.</summary>
    public required string ClusterId { get; init; }

    /// <summary>Whether it holds the cluster store.</summary>
    public required bool IsServer { get; init; }

    /// <summary>What keeps the cluster's state: "sqlite" or "etcd". It was always SQLite in files that do not say.</summary>
    public string Engine { get; init; } = StoreEngine.Sqlite;

    /// <summary>Its endpoint id in hex, so that it knows who it is while its key cannot be read; null before it first could.</summary>
    public string? EndpointId { get; init; }

    /// <summary>The UDP port it had last, to be found at again; 0 = none yet.</summary>
    public int UdpPort { get; init; }

    /// <summary>The gRPC port it had last; 0 = none yet.</summary>
    public int GrpcPort { get; init; }

    /// <summary>The servers of the cluster, itself among them if it is one. The list of all members tells more and is used if it can be read.</summary>
    public IReadOnlyList<KnownServer> Servers { get; init; } = [];

    /// <summary>Reads the file; null if there is none.</summary>
    /// <exception cref="NodeStartException">It cannot be read or is damaged.</exception>
    public static NodeFile? TryRead(string path)
    {
        try
        {
            if (!File.Exists(path))
                return null;
            if (new FileInfo(path).Length > LengthMax)
                throw new JsonException("it is too long");
            NodeFile? file = JsonSerializer.Deserialize(File.ReadAllBytes(path), NodeFileJson.Default.NodeFile);
            if (file is null)
                throw new JsonException("it is empty");
            return file.Check() is { } wrong ? throw new JsonException(wrong) : file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new NodeStartException(
                NodeStartFailure.Failed, $"{path}, where the node remembers its cluster, cannot be read: {e.Message} Restore it from a backup.", e);
        }
    }

    private string? Check()
    {
        if (Configuration.NodeName.Check(Name) is { } wrongName)
            return wrongName;
        if (ClusterId.Length == 0)
            return "it names no cluster";
        if (!StoreEngine.IsKnown(Engine))
            return $"there is no store engine '{Engine}'";
        if ((UdpPort | GrpcPort) is < 0 or > 65535)
            return "a port is out of range";
        IEnumerable<string> ids = Servers.Select(server => server.EndpointId);
        return (EndpointId is { } own ? ids.Append(own) : ids).Any(id => !Iroh.Base.EndpointId.TryParse(id, out _))
            ? "an endpoint id in it is none"
            : null;
    }

    /// <summary>Writes the file so that a crash leaves either the old or the new one.</summary>
    public void Write(string path)
    {
        string temporary = path + ".new";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(file, this, NodeFileJson.Default.NodeFile);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}

/// <summary>A server that a worker goes back to.</summary>
/// <param name="Name">Its name.</param>
/// <param name="EndpointId">Its id in hex.</param>
/// <param name="Ticket">Its address as an endpoint ticket.</param>
/// <param name="Grpc">Its gRPC address, "host:port", or "".</param>
internal sealed record KnownServer(string Name, string EndpointId, string Ticket, string Grpc);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(NodeFile))]
internal sealed partial class NodeFileJson : JsonSerializerContext;
