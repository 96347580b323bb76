using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Blobs;
using Iroh.Blobs.Store;

namespace Blixard.Cli.Tests.Blobs;

public sealed class BlobCheckTests : IDisposable
{
    private const int Group = 16 * 1024;

    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-check-").FullName;

    private static CancellationToken Cancel => Patience.Token;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_store_without_damage_is_said_to_be_well()
    {
        await AddAsync("a", 100);
        await AddAsync("b", 20 * Group);
        CliResult text = await CliProcess.RunAsync("blob", "check", _folder);
        Assert.True(text.ExitCode == 0, text.Errors);
        Assert.Contains("2 blobs", text.Output, StringComparison.Ordinal);
        Assert.Contains("all is well", text.Output, StringComparison.Ordinal);
        CliResult json = await CliProcess.RunAsync("blob", "check", _folder, "--json");
        JsonNode report = Assert.Single(json.Lines);
        Assert.Equal((_folder, 2, 100L + (20 * Group)), (Text(report, "directory"), report["blobs"]!.GetValue<int>(), report["bytes"]!.GetValue<long>()));
        Assert.True(report["sound"]!.GetValue<bool>());
        Assert.Empty(report["findings"]!.AsArray());
    }

    [Fact]
    public async Task Damage_is_named_and_a_repair_gives_up_the_damaged_group_alone()
    {
        BlobHash hash = await AddAsync("film", 50 * Group);
        Flip(DataOf(hash), (5 * Group) + 77);
        CliResult found = await CliProcess.RunAsync("blob", "check", _folder, "--json");
        Assert.Equal(1, found.ExitCode);
        JsonNode report = Assert.Single(found.Lines);
        Assert.False(report["sound"]!.GetValue<bool>());
        JsonNode finding = Assert.Single(report["findings"]!.AsArray())!;
        Assert.Equal(
            ("wrongContent", hash.ToString(), (long)Group, false),
            (Text(finding, "problem"), Text(finding, "hash"), finding["badBytes"]!.GetValue<long>(), finding["repaired"]!.GetValue<bool>()));
        Assert.Equal("film", Assert.Single(finding["tags"]!.AsArray())!.GetValue<string>());

        // Asked for nothing but a look, it has changed nothing.
        CliResult again = await CliProcess.RunAsync("blob", "check", _folder);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("--repair", again.Output, StringComparison.Ordinal);
        Assert.Contains(hash.ToString(), again.Output, StringComparison.Ordinal);

        CliResult repaired = await CliProcess.RunAsync("blob", "check", _folder, "--repair");
        Assert.True(repaired.ExitCode == 0, repaired.Output + repaired.Errors);
        Assert.Contains("16.0 KiB of content are lost", repaired.Output, StringComparison.Ordinal);
        await using (DiskBlobStore store = DiskBlobStore.Open(_folder))
            Assert.Equal(new BlobStatus(BlobPresence.Partial, 50 * Group, 49 * Group), store.GetStatus(hash));
        Assert.Equal(0, (await CliProcess.RunAsync("blob", "check", _folder)).ExitCode);
    }

    [Fact]
    public async Task A_store_in_use_is_refused_with_the_process_that_has_it()
    {
        await using DiskBlobStore store = DiskBlobStore.Open(_folder);
        CliResult result = await CliProcess.RunAsync("blob", "check", _folder);
        Assert.Equal((4, ""), (result.ExitCode, result.Output));
        Assert.Contains($"in use by process {Environment.ProcessId}", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_there_is_no_store_none_is_made()
    {
        CliResult result = await CliProcess.RunAsync("blob", "check", _folder, "--repair");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("no blob store", result.Errors, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
        Assert.Equal(2, (await CliProcess.RunAsync("blob", "check")).ExitCode);
    }

    [Fact]
    public async Task What_an_interrupted_get_left_can_be_checked()
    {
        byte[] content = RandomNumberGenerator.GetBytes(4 * Group);
        await using (DiskBlobStore store = DiskBlobStore.Open(_folder))
        await using (IBlobWriter writer = store.OpenWriter(BlobHash.Of(content)))
        {
            // A tree of four groups: the root, and the pair above the first two.
            BlobHash hash = Iroh.Blobs.Bao.OutboardBuilder.Build(content, out byte[] outboard);
            Assert.Equal(BlobHash.Of(content), hash);
            await writer.WritePairAsync((ulong)content.Length, 0, outboard.AsMemory(0, 64), Cancel);
            await writer.WritePairAsync((ulong)content.Length, 64, outboard.AsMemory(64, 64), Cancel);
            await writer.WriteLeafAsync((ulong)content.Length, 0, content.AsMemory(0, 2 * Group), Cancel);
        }

        Flip(DataOf(BlobHash.Of(content)), 20_000);
        CliResult result = await CliProcess.RunAsync("blob", "check", _folder, "--repair", "--json");
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        JsonNode finding = Assert.Single(Assert.Single(result.Lines)["findings"]!.AsArray())!;
        Assert.Equal(("wrongBitfield", (long)Group, true), (Text(finding, "problem"), finding["badBytes"]!.GetValue<long>(), finding["repaired"]!.GetValue<bool>()));
    }

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    private static void Flip(string path, long offset)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = offset;
        int value = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(value ^ 1));
    }

    private async Task<BlobHash> AddAsync(string name, int length)
    {
        await using DiskBlobStore store = DiskBlobStore.Open(_folder, new BlobStoreOptions { FlushesToDisk = false });
        using TempTag tag = await store.AddBytesAsync(RandomNumberGenerator.GetBytes(length), cancellationToken: Cancel);
        store.SetTag(name, tag.Content);
        return tag.Hash;
    }

    private string DataOf(BlobHash hash) => Path.Combine(_folder, "data", hash.ToString()[..2], $"{hash}.data");
}
