using System.Text.Json;
using Blixard.Testing.Basics;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Transfer;

namespace Iroh.Blobs.Tests.Provider;

/// <summary>The provider answers 261 requests that were made to the real iroh-blobs 0.35 with the same bytes.</summary>
public sealed class CapturedRequestTests
{
    private static readonly int[] Sizes = [0, 1, 11, 1023, 1024, 1025, 2048, 2049, 4096, 16383, 16384, 16385, 32768, 32769, 49153, 65536, 100000, 300000];

    [Fact]
    public async Task Every_captured_request_is_answered_byte_for_byte()
    {
        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(
            Path.Combine(AppContext.BaseDirectory, "Vectors", "blob-get.json"), Patience.Token));
        await using var store = new MemoryBlobStore();
        var tags = new List<TempTag>();
        foreach (int size in Sizes)
            tags.Add(await store.AddBytesAsync(Pattern(size), cancellationToken: Patience.Token));
        await AddCollectionAsync(store, tags);
        using var provider = new BlobProvider(store);
        int answered = 0;
        foreach (JsonElement captured in document.RootElement.GetProperty("vectors").EnumerateArray())
        {
            // Byte 1 was no request for 0.35, and 0.35 ends well what it does not have.
            string what = $"{captured.GetProperty("blob")} {captured.GetProperty("case")}";
            if (what is "malformed variant_1" or "unknown_hash all")
                continue;
            byte[] response = await AskAsync(provider, Convert.FromHexString(captured.GetProperty("request").GetString()!));
            Assert.True(captured.GetProperty("response_len").GetInt32() == response.Length, $"{what}: {response.Length} bytes");
            Assert.True(captured.GetProperty("response_blake3").GetString() == BlobHash.Of(response).ToString(), what);
            answered++;
        }

        Assert.Equal(261, answered);
        tags.ForEach(static tag => tag.Dispose());
    }

    /// <summary>Byte i of the captured blobs.</summary>
    internal static byte[] Pattern(int length)
    {
        var bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = (byte)((i * 7) + ((i >> 8) * 13) + ((i >> 16) * 29));
        return bytes;
    }

    private static async Task AddCollectionAsync(MemoryBlobStore store, List<TempTag> tags)
    {
        (string Name, byte[] Content)[] parts = [("a.txt", "hello world"u8.ToArray()), ("b.bin", Pattern(20000)), ("c.empty", [])];
        foreach ((_, byte[] content) in parts)
            tags.Add(await store.AddBytesAsync(content));
        var collection = new Collection([.. parts.Select(static part => new CollectionEntry(part.Name, BlobHash.Of(part.Content)))]);
        tags.Add(await store.AddBytesAsync(collection.NamesToBytes()));
        tags.Add(await store.AddBytesAsync(collection.ToHashSequence().Bytes));
    }

    private static async Task<byte[]> AskAsync(BlobProvider provider, byte[] request)
    {
        (MemoryBlobStream near, MemoryBlobStream far) = MemoryBlobStream.CreatePair();
        Task serving = provider.ServeStreamAsync(default, far, Patience.Token);
        await near.WriteAsync(request);
        near.CompleteWrites();
        var response = new MemoryStream();
        await near.CopyToAsync(response);
        await serving;
        return response.ToArray();
    }
}
