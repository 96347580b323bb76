using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Blixard.Cli.Blobs;
using Blixard.Testing.Basics;
using Iroh.Blobs;
using Iroh.Blobs.Formats;

namespace Blixard.Cli.Tests.Blobs;

public sealed class BlobCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-blob-").FullName;

    private static CancellationToken Cancel => Patience.Token;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(3_000_000)]
    public async Task A_shared_file_is_fetched_by_its_ticket(int length)
    {
        byte[] content = RandomNumberGenerator.GetBytes(length);
        await File.WriteAllBytesAsync(Under("in"), content, Cancel);
        (CliProcess sharing, JsonNode shared) = await ShareAsync(Under("in"));
        await using CliProcess _ = sharing;
        Assert.Equal(BlobHash.Of(content).ToString(), Text(shared, "hash"));
        Assert.Equal(("raw", 1), (Text(shared, "format"), shared["files"]!.GetValue<int>()));
        CliResult got = await CliProcess.RunAsync("blob", "get", Text(shared, "ticket"), "-o", Under("out"), "--json");
        Assert.True(got.ExitCode == 0, got.Errors);
        Assert.Equal(content, await File.ReadAllBytesAsync(Under("out"), Cancel));
        JsonNode done = Assert.Single(got.Lines);
        Assert.Equal(("done", (long)length, Under("out")), (Text(done, "event"), done["bytes"]!.GetValue<long>(), Text(done, "path")));
        // Nothing but the two files is left.
        Assert.Equal(["in", "out"], Directory.EnumerateFileSystemEntries(_folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_folder_is_fetched_with_the_names_of_its_files()
    {
        Directory.CreateDirectory(Under("tree/sub"));
        await File.WriteAllTextAsync(Under("tree/a.txt"), "one", Cancel);
        await File.WriteAllTextAsync(Under("tree/sub/b.txt"), "two", Cancel);
        await File.WriteAllTextAsync(Under("tree/sub/c.txt"), "two", Cancel);
        (CliProcess sharing, JsonNode shared) = await ShareAsync(Under("tree"));
        await using CliProcess _ = sharing;
        Assert.Equal(("hashSequence", 3), (Text(shared, "format"), shared["files"]!.GetValue<int>()));
        CliResult got = await CliProcess.RunAsync("blob", "get", Text(shared, "ticket"), "-o", Under("out"), "--json");
        Assert.True(got.ExitCode == 0, got.Errors);
        Assert.Equal("one", await File.ReadAllTextAsync(Under("out/tree/a.txt"), Cancel));
        Assert.Equal("two", await File.ReadAllTextAsync(Under("out/tree/sub/b.txt"), Cancel));
        Assert.Equal("two", await File.ReadAllTextAsync(Under("out/tree/sub/c.txt"), Cancel));
    }

    [Fact]
    public async Task A_file_comes_from_two_who_share_it()
    {
        await File.WriteAllBytesAsync(Under("in"), RandomNumberGenerator.GetBytes(5_000_000), Cancel);
        (CliProcess one, JsonNode first) = await ShareAsync(Under("in"));
        await using CliProcess _ = one;
        (CliProcess two, JsonNode second) = await ShareAsync(Under("in"));
        await using CliProcess __ = two;
        CliResult got = await CliProcess.RunAsync("blob", "get", Text(first, "ticket"), Text(second, "ticket"), "-o", Under("out"), "--json");
        Assert.True(got.ExitCode == 0, got.Errors);
        Assert.Equal(await File.ReadAllBytesAsync(Under("in"), Cancel), await File.ReadAllBytesAsync(Under("out"), Cancel));
        // How much came from whom is the network's choice; without the first all comes from the second.
        await one.EndAsync("INT");
        CliResult again = await CliProcess.RunAsync("blob", "get", Text(first, "ticket"), Text(second, "ticket"), "-o", Under("again"), "--json");
        Assert.True(again.ExitCode == 0, again.Errors);
        Assert.Equal(await File.ReadAllBytesAsync(Under("in"), Cancel), await File.ReadAllBytesAsync(Under("again"), Cancel));
        while (Text(await two.ReadEventAsync("request"), "outcome") != "completed")
        {
            // A request that the other source was faster with.
        }
    }

    [Fact]
    public async Task A_get_that_was_killed_goes_on_where_it_stopped()
    {
        // Large enough to be under way for a while, and without bytes on the disk.
        await using (FileStream file = File.Create(Under("in")))
            file.SetLength(400_000_000);
        (CliProcess sharing, JsonNode shared) = await ShareAsync(Under("in"));
        await using CliProcess _ = sharing;
        string ticket = Text(shared, "ticket");
        await using (CliProcess getting = CliProcess.Start("blob", "get", ticket, "-o", Under("out"), "--json"))
        {
            while (LargestPartial() < 10_000_000)
            {
                Assert.False(getting.HasEnded, "The file came before anybody could stop it.");
                await Task.Delay(2, Cancel);
            }

            await getting.KillAsync();
        }

        Assert.False(File.Exists(Under("out")));
        Assert.Single(Directory.EnumerateDirectories(_folder), folder => folder.EndsWith(".partial", StringComparison.Ordinal));
        CliResult got = await CliProcess.RunAsync("blob", "get", ticket, "-o", Under("out"), "--json");
        Assert.True(got.ExitCode == 0, got.Errors);
        Assert.Equal(Text(shared, "hash"), BlobHash.Of(await File.ReadAllBytesAsync(Under("out"), Cancel)).ToString());
    }

    [Fact]
    public async Task Nobody_there_is_told_with_exit_code_3()
    {
        await File.WriteAllTextAsync(Under("in"), "content", Cancel);
        (CliProcess sharing, JsonNode shared) = await ShareAsync(Under("in"));
        await using (sharing)
            await sharing.EndAsync("INT");
        CliResult got = await CliProcess.RunAsync("blob", "get", Text(shared, "ticket"), "-o", Under("out"));
        Assert.Equal(3, got.ExitCode);
        Assert.StartsWith("error: ", got.Errors.Split('\n')[0], StringComparison.Ordinal);
        Assert.False(File.Exists(Under("out")));
    }

    [Fact]
    public async Task What_exists_is_never_written_over()
    {
        await File.WriteAllTextAsync(Under("in"), "content", Cancel);
        (CliProcess sharing, JsonNode shared) = await ShareAsync(Under("in"));
        await using CliProcess _ = sharing;
        CliResult got = await CliProcess.RunAsync("blob", "get", Text(shared, "ticket"), "-o", Under("in"));
        Assert.Equal(2, got.ExitCode);
        Assert.Contains("exists", got.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("get", "blobaa")]
    [InlineData("get")]
    [InlineData("share", "/no/such/file")]
    [InlineData("share")]
    public async Task A_command_line_that_makes_no_sense_ends_with_2(params string[] arguments)
    {
        CliResult result = await CliProcess.RunAsync(["blob", .. arguments]);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("error: ", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../a")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../b")]
    [InlineData("a//b")]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a\\b")]
    [InlineData("a\0b")]
    public void A_name_that_leads_elsewhere_is_refused(string name)
    {
        CommandException refused = Assert.Throws<CommandException>(() => CollectionPaths.Of(CollectionOf("good", name), "/target"));
        Assert.Contains("not stored", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_that_fall_together_are_refused()
    {
        Assert.Throws<CommandException>(() => CollectionPaths.Of(CollectionOf("a", "a"), "/target"));
        Assert.Throws<CommandException>(() => CollectionPaths.Of(CollectionOf("a/b", "a"), "/target"));
        Assert.Equal(["/target/a/b", "/target/a/c"], CollectionPaths.Of(CollectionOf("a/b", "a/c"), "/target"));
    }

    private long LargestPartial()
    {
        try
        {
            return new DirectoryInfo(_folder).EnumerateDirectories("*.partial")
                .SelectMany(folder => folder.EnumerateFiles("*", SearchOption.AllDirectories)).Max(file => (long?)file.Length) ?? 0;
        }
        catch (IOException)
        {
            // A file got its final name while we looked.
            return 0;
        }
    }

    private static Collection CollectionOf(params string[] names) => new([.. names.Select(name => new CollectionEntry(name, BlobHash.Empty))]);

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    private static async Task<(CliProcess Process, JsonNode Shared)> ShareAsync(params string[] paths)
    {
        CliProcess process = CliProcess.Start(["blob", "share", .. paths, "--bind", "127.0.0.1:0", "--json"]);
        return (process, await process.ReadEventAsync("sharing"));
    }

    private string Under(string name) => Path.Combine(_folder, name);
}
