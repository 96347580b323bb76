using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tokens;
using Blixard.Testing.Basics;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Support;

/// <summary>A store in a folder of its own, with the rooms that keep records in it.</summary>
internal sealed class TemporaryStore : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-cluster-").FullName;

    public TemporaryStore()
    {
        Store = SqliteStore.Open(Path.Combine(_folder, "store.db"), TimeProvider.System, OperatingSystemRandomSource.Instance, historyRevisionsMax: 1_000);
        Tokens = new JoinTokens(Store, new SeededRandomSource(1), Time);
        Members = new Members(Store, Tokens, Time);
    }

    public ManualTimeProvider Time { get; } = new();

    public SqliteStore Store { get; }

    public JoinTokens Tokens { get; }

    public Members Members { get; }

    /// <summary>The cluster that a test has if it bootstraps one.</summary>
    public static string ClusterId { get; } = Members.NewClusterId(new SeededRandomSource(2));

    public static SecretKey Key(int number) => SecretKey.FromBytes([.. Enumerable.Repeat((byte)number, 32)]);

    public static EndpointId Id(int number) => Key(number).PublicKey;

    public static NodeInfo Node(int number, string? name = null) => new()
    {
        Name = name ?? $"node-{number}",
        EndpointId = ByteString.CopyFrom(Id(number).Span),
        GrpcAddress = $"192.0.2.{number}:7000",
        Capacity = new NodeCapacity { Vcpus = 4, MemoryMib = 4096 },
    };

    public Task<Admission> BootstrapAsync(int number = 1) => Members.BootstrapAsync(Node(number), null, ClusterId);

    public async Task<Admission> JoinAsync(int number, string? name = null) =>
        await Members.JoinAsync((await Tokens.CreateAsync(NodeRole.Worker)).Secret, Node(number, name), null);

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
