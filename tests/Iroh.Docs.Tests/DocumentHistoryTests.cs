using Blixard.Testing.Basics;
using Iroh.Blobs;
using Iroh.Docs.Store;

namespace Iroh.Docs;

/// <summary>Random histories of one document against a dictionary that does the same.</summary>
public sealed class DocumentHistoryTests
{
    [Theory(Timeout = Patience.Test)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_document_has_what_a_dictionary_would_have(int seed)
    {
        var random = new Random(seed);
        var time = new ManualTimeProvider();
        string directory = Directory.CreateTempSubdirectory("docs-").FullName;
        try
        {
            IDocumentStore store = seed % 2 == 0 ? new MemoryDocumentStore() : DiskDocumentStore.Open(directory);
            await using DocsPeer peer = await DocsPeer.StartAsync(store, new DocsOptions { TimeProvider = time });
            Document document = peer.Docs.Create();
            AuthorId[] authors = [peer.Docs.DefaultAuthor, peer.Docs.CreateAuthor()];
            var model = new Dictionary<(AuthorId Author, string Key), BlobHash>();
            for (int step = 0; step < 150; step++)
            {
                AuthorId author = authors[random.Next(2)];
                string key = new([.. Enumerable.Range(0, random.Next(4)).Select(_ => "ab"[random.Next(2)])]);
                byte[] name = System.Text.Encoding.ASCII.GetBytes(key);
                // Forwards mostly, and sometimes not at all.
                time.Advance(TimeSpan.FromTicks(random.Next(3)));
                (AuthorId, string)[] under = [.. model.Keys.Where(present => present.Author == author && present.Key.StartsWith(key, StringComparison.Ordinal))];
                if (random.Next(4) == 0)
                {
                    document.Delete(author, name);
                    foreach ((AuthorId, string) present in under)
                        model.Remove(present);
                }
                else
                {
                    var content = BlobHash.Of([(byte)random.Next(5)]);
                    SignedEntry made = document.SetHash(author, name, content, 1);
                    foreach ((AuthorId, string) present in under)
                    {
                        // A newer entry under the key stays: possible only where the clock stood still.
                        if (document.Get(present.Item1, System.Text.Encoding.ASCII.GetBytes(present.Item2)) is null)
                            model.Remove(present);
                        else
                            Assert.True(document.Get(present.Item1, System.Text.Encoding.ASCII.GetBytes(present.Item2))!.Record.CompareTo(made.Record) >= 0);
                    }

                    model[(author, key)] = content;
                }

                Assert.Equal(
                    model.OrderBy(entry => entry.Key.Author).ThenBy(entry => entry.Key.Key, StringComparer.Ordinal)
                        .Select(entry => (entry.Key.Author, entry.Key.Key, entry.Value)),
                    document.Query(DocumentQuery.All)
                        .Select(entry => (entry.Key.Author, System.Text.Encoding.ASCII.GetString(entry.Key.Key.Span), entry.ContentHash)));
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
