using System.Security.Cryptography;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;
using Iroh.Docs;

namespace Blixard.Node.Tests.Images;

/// <summary>What tests of catalogues ask nodes for.</summary>
internal static class CatalogueCalls
{
    public static NamespaceId DocumentOf(ShareCatalogueResponse shared) => DocTicket.Parse(shared.Ticket).Capability.Id;

    public static Task<ShareCatalogueResponse> ShareAsync(TestNode node, TimeSpan? ttl = null) => node.CallAsync(
        ImageMethods.ShareCatalogue,
        new ShareCatalogueRequest { Ttl = ttl is { } time ? Duration.FromTimeSpan(time) : null });

    public static Task<AddCatalogueResponse> FollowAsync(TestNode node, string ticket) =>
        node.CallAsync(ImageMethods.AddCatalogue, new AddCatalogueRequest { Name = "west", Ticket = ticket });

    public static async Task<IReadOnlyList<ForeignImage>> UntilListedAsync(TestNode node, Func<IReadOnlyList<ForeignImage>, bool> condition) =>
        await UntilAsync<IReadOnlyList<ForeignImage>>(async () => (await node.CallAsync(ImageMethods.List, new ListImagesRequest())).Foreign, condition);

    public static async Task<T> UntilAsync<T>(Func<Task<T>> read, Func<T, bool> condition)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        T seen = await read();
        while (!condition(seen))
        {
            Assert.False(patience.IsCancellationRequested, $"not within {TestNode.Patience.TotalSeconds} s; last seen: {seen}");
            await Task.Delay(50, CancellationToken.None);
            seen = await read();
        }

        return seen;
    }

    public static async Task<ImageRecord> AddAsync(TestNode node, string directory, string name, int length)
    {
        string kernel = Path.Combine(directory, "kernel");
        byte[] content = new byte[length];
        SHA256.HashData(BitConverter.GetBytes(length)).CopyTo(content, 0);
        await File.WriteAllBytesAsync(kernel, content);
        ImageRecord? image = null;
        await foreach (ImageProgress progress in node.Api.StreamAsync(
            ImageMethods.Add, new AddImageRequest { Name = name, KernelPath = kernel }, RpcCallOptions.Within(TestNode.Patience)))
            image = progress.Image;
        return Assert.IsType<ImageRecord>(image);
    }

    public static async Task<ImageRecord> PullAsync(TestNode node, string reference)
    {
        ImageRecord? image = null;
        await foreach (ImageProgress progress in node.Api.StreamAsync(
            ImageMethods.Pull, new PullImageRequest { Reference = reference }, RpcCallOptions.Within(TestNode.Patience)))
            image = progress.Image;
        return Assert.IsType<ImageRecord>(image);
    }
}
