using Blixard.Node.Storage;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Node.Tests.Storage;

public sealed class MemberCacheTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("blixard-members-").FullName;

    private string FilePath => Path.Combine(_directory, "members.pb");

    [Fact]
    public void What_is_saved_is_loaded_by_name()
    {
        Member[] members = [Example("b", 2, NodeRole.Worker), Example("a", 1, NodeRole.Server)];

        MemberCache.Save(FilePath, members);
        IReadOnlyList<Member> loaded = MemberCache.Load(FilePath, out string problem);

        Assert.Equal("", problem);
        Assert.Equal(members.Reverse(), loaded);
    }

    [Fact]
    public void No_file_is_nobody_and_no_problem()
    {
        Assert.Empty(MemberCache.Load(FilePath, out string problem));
        Assert.Equal("", problem);
    }

    [Fact]
    public void A_damaged_file_is_named_or_its_sound_records_are_used_and_nothing_is_thrown()
    {
        const ulong Seed = 20261123;
        MemberCache.Save(FilePath, [Example("a", 1, NodeRole.Server), Example("b", 2, NodeRole.Worker)]);
        byte[] good = File.ReadAllBytes(FilePath);
        var random = new SeededRandomSource(Seed);
        bool wasNamed = false;
        for (int round = 0; round < 300; round++)
        {
            byte[] bad = [.. good];
            bad[(int)random.NextBelow((ulong)bad.Length)] = (byte)random.NextBelow(256);
            File.WriteAllBytes(FilePath, bad[..(int)random.NextBelow((ulong)bad.Length + 1)]);
            IReadOnlyList<Member> loaded = MemberCache.Load(FilePath, out string problem);
            Assert.True(loaded.Count == 0 || problem.Length == 0, $"seed {Seed}, round {round}");
            Assert.All(loaded, member => Assert.True(EndpointId.TryFromBytes(member.Node.EndpointId.Span, out _), $"seed {Seed}, round {round}"));
            wasNamed |= problem.Contains(FilePath, StringComparison.Ordinal);
        }

        Assert.True(wasNamed);
    }

    [Fact]
    public void Servers_are_remembered_twice_and_come_back_as_members()
    {
        Member server = Example("a", 1, NodeRole.Server);

        Member again = Assert.Single(KnownServers.ToMembers(KnownServers.From([server, Example("b", 2, NodeRole.Worker)])));

        Assert.Equal((server.Node.Name, server.Node.EndpointId, NodeRole.Server), (again.Node.Name, again.Node.EndpointId, again.Node.Role));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static Member Example(string name, byte seed, NodeRole role) => new()
    {
        Node = new NodeInfo
        {
            Name = name,
            EndpointId = ByteString.CopyFrom(SecretKey.FromBytes([.. Enumerable.Repeat(seed, 32)]).PublicKey.Span),
            GrpcAddress = "127.0.0.1:7000",
            Role = role,
        },
    };
}
