using System.Text;
using Blixard.Node.Storage;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Node.Tests.Storage;

public sealed class NodeFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("blixard-file-").FullName;

    private string FilePath => Path.Combine(_directory, "node.json");

    [Fact]
    public void What_is_written_is_read()
    {
        NodeFile file = Example();

        file.Write(FilePath);
        NodeFile read = NodeFile.TryRead(FilePath)!;

        Assert.Equal(file.Servers, read.Servers);
        Assert.Equal(file, read with { Servers = file.Servers });
    }

    [Fact]
    public void No_file_is_no_cluster() => Assert.Null(NodeFile.TryRead(FilePath));

    [Fact]
    public void Damage_is_told_with_the_path_and_never_otherwise()
    {
        Example().Write(FilePath);
        byte[] good = File.ReadAllBytes(FilePath);
        var random = new SeededRandomSource(20261123);
        for (int round = 0; round < 300; round++)
        {
            byte[] bad = [.. good];
            bad[(int)random.NextBelow((ulong)bad.Length)] = (byte)random.NextBelow(256);
            File.WriteAllBytes(FilePath, bad[..(int)random.NextBelow((ulong)bad.Length + 1)]);
            try
            {
                NodeFile.TryRead(FilePath);
            }
            catch (NodeStartException e)
            {
                Assert.True(e.Message.Contains(FilePath, StringComparison.Ordinal), $"seed 20261123, round {round}: {e.Message}");
            }
        }
    }

    [Fact]
    public void A_file_of_null_is_damaged()
    {
        File.WriteAllBytes(FilePath, Encoding.ASCII.GetBytes("null"));

        Assert.Contains(FilePath, Assert.Throws<NodeStartException>(() => NodeFile.TryRead(FilePath)).Message);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static NodeFile Example() => new()
    {
        Name = "n",
        ClusterId = "c",
        IsServer = false,
        EndpointId = SecretKey.FromBytes(new byte[32]).PublicKey.ToString(),
        UdpPort = 1,
        GrpcPort = 2,
        Servers = [new KnownServer("s", SecretKey.FromBytes([.. Enumerable.Repeat((byte)1, 32)]).PublicKey.ToString(), "endpointx", "127.0.0.1:3")],
    };
}
