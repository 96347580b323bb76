using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Blixard.Images;
using Blixard.Images.Manifests;
using Blixard.Images.Serving;
using Blixard.Node.Images;
using Blixard.Node.Membership;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;
using Iroh.Blobs;
using ImageProgress = Blixard.V1.ImageProgress;

namespace Blixard.Node.Services;

/// <summary>The handlers of <c>blixard.v1.Image</c>.</summary>
internal sealed class ImageService(NodeImages images, NodeCluster cluster)
{
    // Progress that nobody has read yet: only the newest counts.
    private const int ProgressBacklogMax = 4;

    public RpcService Bind() => new ImageContentService(images.Store.Blobs).Bind(new RpcService(ImageReflection.Descriptor, "Image")
        .ServerStreaming(ImageMethods.Add, Add)
        .ServerStreaming(ImageMethods.Pull, (request, context) => FollowAsync(
            async (progress, token) => (await images.EnsureAsync(request.Reference, progress, token).ConfigureAwait(false)).Record, context.CancellationToken))
        .Unary(ImageMethods.List, (_, context) => Failures.ExplainAsync(ListAsync(context.CancellationToken)))
        .Unary(ImageMethods.Inspect, (request, context) => Failures.ExplainAsync(InspectAsync(request, context.CancellationToken)))
        .Unary(ImageMethods.Remove, (request, context) => Failures.ExplainAsync(RemoveAsync(request, context.CancellationToken))));

    private IAsyncEnumerable<ImageProgress> Add(AddImageRequest request, RpcContext context)
    {
        if (context.Peer.Transport != RpcTransport.Local)
            throw new RpcException(RpcStatusCode.PermissionDenied, "images are added on the node's own machine, over its unix socket");
        foreach (string path in request.DiskPaths.Append(request.KernelPath).Append(request.InitramfsPath).Where(path => path.Length > 0))
        {
            if (!Path.IsPathFullyQualified(path))
                throw new RpcException(RpcStatusCode.InvalidArgument, $"'{path}' is not an absolute path");
            if (!File.Exists(path))
                throw new RpcException(RpcStatusCode.NotFound, $"the file {path} does not exist");
        }

        if (request.KernelPath.Length == 0)
            throw new RpcException(RpcStatusCode.InvalidArgument, "an image needs a kernel");
        var files = new ImageFiles
        {
            Name = request.Name,
            Tag = request.Tag.Length > 0 ? request.Tag : ImageName.DefaultTag,
            Architecture = request.Architecture.Length > 0 ? request.Architecture : NodeImages.Architecture,
            KernelArguments = request.KernelArgs,
            Labels = request.Labels,
            KernelPath = request.KernelPath,
            InitramfsPath = request.InitramfsPath.Length > 0 ? request.InitramfsPath : null,
            DiskPaths = request.DiskPaths,
        };
        return FollowAsync((progress, token) => images.AddAsync(files, progress, token), context.CancellationToken);
    }

    // Runs the work beside the answers that tell how far it is; the last one carries the image.
    private static async IAsyncEnumerable<ImageProgress> FollowAsync(
        Func<IProgress<Blixard.Images.ImageProgress>, CancellationToken, Task<ImageRecord>> work, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var steps = Channel.CreateBounded<ImageProgress>(new BoundedChannelOptions(ProgressBacklogMax) { FullMode = BoundedChannelFullMode.DropOldest });
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<ImageRecord> running = RunAsync(work, new ProgressChannel(steps.Writer), leaving.Token);
        _ = running.ContinueWith(_ => steps.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        try
        {
            await foreach (ImageProgress step in steps.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return step;
        }
        finally
        {
            await leaving.CancelAsync().ConfigureAwait(false);
        }

        ImageRecord record = await running.ConfigureAwait(false);
        yield return new ImageProgress { DoneBytes = record.SizeBytes, TotalBytes = record.SizeBytes, Image = record };
    }

    private static async Task<ImageRecord> RunAsync(
        Func<IProgress<Blixard.Images.ImageProgress>, CancellationToken, Task<ImageRecord>> work, ProgressChannel progress, CancellationToken cancellationToken)
    {
        await Task.Yield();
        return await Failures.ExplainAsync(work(progress, cancellationToken)).ConfigureAwait(false);
    }

    private async Task<ListImagesResponse> ListAsync(CancellationToken cancellationToken)
    {
        var response = new ListImagesResponse();
        foreach (ImageRecord record in await cluster.Images.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            ImageRecord brief = record.Clone();
            brief.Parts.Clear();
            response.Images.Add(brief);
        }

        return response;
    }

    private async Task<InspectImageResponse> InspectAsync(InspectImageRequest request, CancellationToken cancellationToken) =>
        new() { Image = await FindAsync(request.Reference, cancellationToken).ConfigureAwait(false) };

    private async Task<RemoveImageResponse> RemoveAsync(RemoveImageRequest request, CancellationToken cancellationToken)
    {
        ImageRecord record = await FindAsync(request.Reference, cancellationToken).ConfigureAwait(false);
        string full = $"{record.Name}:{record.Tag}";
        string[] users = [.. (await cluster.Vms.ListAsync(cancellationToken).ConfigureAwait(false))
            .Where(vm => Blixard.Cluster.Images.ImageRecords.Normalize(vm.Spec.Image) == full).Select(vm => vm.Spec.Name)];
        if (users.Length > 0 && !request.Force)
        {
            throw new RpcException(
                RpcStatusCode.FailedPrecondition, $"The image {full} is used by VMs: {string.Join(", ", users)}. Remove them first, or remove the image by force.");
        }

        await images.RemoveAsync(record, cancellationToken).ConfigureAwait(false);
        return new RemoveImageResponse();
    }

    private async Task<ImageRecord> FindAsync(string reference, CancellationToken cancellationToken)
    {
        if (!BlobHash.TryParse(reference, out BlobHash hash))
            return await cluster.Images.GetAsync(reference, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<ImageRecord> all = await cluster.Images.ListAsync(cancellationToken).ConfigureAwait(false);
        return all.FirstOrDefault(record => record.Hash.Span.SequenceEqual(hash.ToArray()))
            ?? throw new RpcException(RpcStatusCode.NotFound, $"There is no image with the hash {reference}.");
    }

    private sealed class ProgressChannel(ChannelWriter<ImageProgress> steps) : IProgress<Blixard.Images.ImageProgress>
    {
        public void Report(Blixard.Images.ImageProgress value) => steps.TryWrite(new ImageProgress
        {
            Part = value.Part,
            DoneBytes = (ulong)value.DoneBytes,
            TotalBytes = (ulong)value.TotalBytes,
            BytesPerSecond = (ulong)value.BytesPerSecond,
            Source = value.Source,
        });
    }
}
