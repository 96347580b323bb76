using Blixard.Testing.Basics;
using Iroh.Quic;

namespace Iroh.Tests;

/// <summary>The example of README.md, word for word.</summary>
public sealed class ReadmeTests
{
    [Fact(Timeout = Patience.Test)]
    public async Task The_example_of_the_readme_says_hello()
    {
        // The example writes to the console; here that is a text.
        using var Console = new StringWriter();
        // README begins.
        await using IrohEndpoint server = await IrohEndpoint.BindAsync(new() { ApplicationProtocols = ["hello/1"] });
        await using IrohEndpoint client = await IrohEndpoint.BindAsync();
        Console.WriteLine(server.Ticket);                                             // hand it to anybody

        await using IrohConnection dialled = await client.ConnectAsync(server.Address, "hello/1");
        await using QuicStream stream = await dialled.OpenBidirectionalStreamAsync();  // a System.IO.Stream
        await stream.WriteAsync("hello"u8.ToArray());
        stream.CompleteWrites();

        await using IrohConnection? accepted = await server.AcceptAsync();             // accepted.RemoteId is proven
        using var reader = new StreamReader(await accepted!.AcceptBidirectionalStreamAsync());
        Console.WriteLine(await reader.ReadToEndAsync());                             // hello
        // README ends.
        Assert.Equal([server.Ticket.ToString(), "hello"], Console.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(client.Id, accepted.RemoteId);
    }

    [Fact]
    public void The_example_that_runs_here_is_the_one_in_the_readme()
    {
        string root = RepositoryRoot();
        string readme = File.ReadAllText(Path.Combine(root, "README.md"));
        string source = File.ReadAllText(Path.Combine(root, "tests", "Iroh.Tests", "ReadmeTests.cs"));
        Assert.Equal(Lines(Between(readme, "```csharp\n", "```")), Lines(Between(source, "// README begins.\n", "// README ends.")));
    }

    private static string Between(string text, string start, string end)
    {
        int from = text.IndexOf(start, StringComparison.Ordinal) + start.Length;
        return text[from..text.IndexOf(end, from, StringComparison.Ordinal)];
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string RepositoryRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Blixard.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests run outside their repository.");
    }
}
