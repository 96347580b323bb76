using System.Diagnostics;
using System.Globalization;
using Blixard.Testing.Basics;
using Iroh.Cryptography;

namespace Iroh.Docs.Store;

/// <summary>The suite over a directory, and what only a directory can do.</summary>
public sealed class DiskDocumentStoreTests : DocumentStoreTests
{
    private readonly string _directory = Directory.CreateTempSubdirectory("docs-").FullName;

    [Fact]
    public void A_second_user_of_a_directory_is_refused_by_name()
    {
        _ = Store.ListDocuments();
        var refusal = Assert.Throws<DocumentStoreInUseException>(() => DiskDocumentStore.Open(_directory));
        Assert.Contains(_directory, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_database_or_of_a_later_version_is_refused_by_name()
    {
        File.WriteAllText(Path.Combine(_directory, "docs.db"), new string('x', 5000));
        Assert.Contains("is not a file with documents", Assert.Throws<DocumentStoreException>(() => DiskDocumentStore.Open(_directory)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(_directory, "docs.db"));
        DiskDocumentStore.Open(_directory).Dispose();
        using (var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_directory}/docs.db;Pooling=False"))
        {
            connection.Open();
            using Microsoft.Data.Sqlite.SqliteCommand command = connection.CreateCommand();
            command.CommandText = "PRAGMA user_version = 99";
            command.ExecuteNonQuery();
        }

        Assert.Contains("form 99", Assert.Throws<DocumentStoreException>(() => DiskDocumentStore.Open(_directory)).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be opened", Assert.Throws<DocumentStoreException>(() => DiskDocumentStore.Open("/dev/null/docs")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_else_may_look_at_the_secrets()
    {
        string made = Path.Combine(_directory, "made");
        DiskDocumentStore.Open(made).Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(made));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_killed_process_loses_nothing_that_was_acknowledged()
    {
        var random = new Random(7);
        var secret = NamespaceSecret.Generate(new SeededRandomSource(1));
        for (int round = 0; round < 3; round++)
        {
            var start = new ProcessStartInfo(Environment.ProcessPath!)
            {
                RedirectStandardOutput = true,
                Environment = { ["DOCS_TEST_DIRECTORY"] = _directory },
            };
            if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
                start.ArgumentList.Add(typeof(DiskDocumentStoreTests).Assembly.Location);
            start.ArgumentList.Add("-method");
            start.ArgumentList.Add($"{typeof(DiskDocumentStoreTests).FullName}.{nameof(Child_writes_until_it_is_killed)}");
            start.ArgumentList.Add("-explicit");
            start.ArgumentList.Add("only");
            start.ArgumentList.Add("-showLiveOutput");
            using Process child = Process.Start(start)!;
            int wanted = random.Next(5, 120), acknowledged = -1;
            while (await child.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
            {
                int mark = line.IndexOf("stored:", StringComparison.Ordinal);
                if (mark < 0)
                    continue;
                acknowledged = int.Parse(line.AsSpan(mark + 7).TrimEnd('"'), CultureInfo.InvariantCulture);
                if (--wanted == 0)
                    break;
            }

            child.Kill();
            await child.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(wanted == 0, $"the child ended by itself after {acknowledged}");
            using var store = DiskDocumentStore.Open(_directory);
            var keys = store.Query(secret.Id, DocumentQuery.All).Select(entry => BitConverter.ToInt32(entry.Key.Key.Span)).ToHashSet();
            Assert.Superset(Enumerable.Range(0, acknowledged + 1).ToHashSet(), keys);
            Assert.All(store.Query(secret.Id, DocumentQuery.All), entry => Assert.True(entry.Verify()));
        }
    }

    [Fact(Explicit = true)]
    public void Child_writes_until_it_is_killed()
    {
        string directory = Environment.GetEnvironmentVariable("DOCS_TEST_DIRECTORY") ?? throw new InvalidOperationException("only as a child");
        var secret = NamespaceSecret.Generate(new SeededRandomSource(1));
        var author = Author.Generate(new SeededRandomSource(2));
        using var store = DiskDocumentStore.Open(directory);
        store.Import(DocumentCapability.Write(secret));
        int next = (int)store.Entries(secret.Id).Count;
        // The parent has killed it long before.
        for (int i = next; i < next + 100_000; i++)
        {
            store.Insert(secret.Id, [SignedEntry.Sign(secret, author, BitConverter.GetBytes(i), new EntryRecord(1, Blobs.BlobHash.Of("x"u8), new EntryTimestamp((ulong)i)))]);
            Console.Out.WriteLine($"stored:{i}");
            Console.Out.Flush();
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <inheritdoc/>
    protected override IDocumentStore Open() => DiskDocumentStore.Open(_directory);

    /// <inheritdoc/>
    protected override void Reopen() => Close();
}
