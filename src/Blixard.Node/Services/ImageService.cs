using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Blixard.Cluster.Images;
using Blixard.Cluster.Store;
using Blixard.Images;
using Blixard.Images.Catalogue;
using Blixard.Images.Manifests;
using Blixard.Node.Images;
using Blixard.Node.Membership;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;
using Iroh.Blobs;
using Iroh.Docs;
using ImageProgress = Blixard.V1.ImageProgress;

namespace Blixard.Node.Services;

/// <summary>The handlers of <c>blixard.v1.Image</c>.</summary>
internal sealed class ImageService(NodeSelf self, NodeImages images, NodeCluster cluster, NodeCatalogue catalogue)
{
    // Progress that nobody has read yet: only the newest counts.
    private const int ProgressBacklogMax = 4;

    public RpcService Bind() => new RpcService(ImageReflection.Descriptor, "Image")
        .ServerStreaming(ImageMethods.Add, Add)
        .ServerStreaming(ImageMethods.Pull, (request, context) => FollowAsync(
            async (progress, token) => catalogue.IsForeign(request.Reference)
                ? await catalogue.PullAsync(request.Reference, progress, token).ConfigureAwait(false)
                : await images.PullAsync(await images.FindAsync(request.Reference, token).ConfigureAwait(false), progress, token).ConfigureAwait(false),
            context.CancellationToken))
        .Unary(ImageMethods.List, (_, context) => Failures.ExplainAsync(ListAsync(context.CancellationToken)))
        .Unary(ImageMethods.Inspect, (request, context) => Failures.ExplainAsync(InspectAsync(request, context.CancellationToken)))
        .Unary(ImageMethods.Remove, (request, context) => Failures.ExplainAsync(RemoveAsync(request, context.CancellationToken)))
        .Unary(ImageMethods.Verify, (request, context) => Failures.ExplainAsync(VerifyAsync(request, context.CancellationToken)))
        .Unary(ImageMethods.ShareCatalogue, (request, context) => Failures.ExplainAsync(ShareAsync(request, context.CancellationToken)))
        .Unary(ImageMethods.RevokeCatalogue, (_, context) => Failures.ExplainAsync(RevokeAsync(context.CancellationToken)))
        .Unary(ImageMethods.AddCatalogue, (request, context) => Failures.ExplainAsync(AddCatalogueAsync(request, context.CancellationToken)))
        .Unary(ImageMethods.ListCatalogues, (_, context) => Failures.ExplainAsync(ListCataloguesAsync(context.CancellationToken)))
        .Unary(ImageMethods.RemoveCatalogue, (request, context) => Failures.ExplainAsync(RemoveCatalogueAsync(request, context.CancellationToken)));

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
        if (request.Copies > CatalogueImage.CopiesMax)
            throw new RpcException(RpcStatusCode.InvalidArgument, $"{request.Copies} copies are wished for; at most {CatalogueImage.CopiesMax} are possible");
        var files = new ImageFiles
        {
            Name = request.Name,
            Tag = request.Tag.Length > 0 ? request.Tag : ImageName.DefaultTag,
            Kind = ImageKinds.ToManifest(request.Kind),
            Architecture = request.Architecture.Length > 0 ? request.Architecture : NodeImages.Architecture,
            KernelArguments = request.KernelArgs,
            Labels = request.Labels,
            KernelPath = request.KernelPath,
            InitramfsPath = request.InitramfsPath.Length > 0 ? request.InitramfsPath : null,
            DiskPaths = request.DiskPaths,
        };
        return FollowAsync((progress, token) => images.AddAsync(files, (int)request.Copies, progress, token), context.CancellationToken);
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
        var response = new ListImagesResponse { Node = self.Name };
        IReadOnlyList<ImageRecord> records;
        try
        {
            records = await cluster.Images.ListAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (StoreUnavailableException e)
        {
            records = images.Known;
            response.StaleReason = e.Message;
        }

        foreach (ImageRecord record in records)
        {
            ImageRecord brief = record.Clone();
            brief.Parts.Clear();
            response.Images.Add(brief);
        }

        (IReadOnlyList<ForeignImage> foreign, int leftOut) = ForeignCatalogues.Fit(catalogue.ForeignImages(), RpcLimits.MessageLengthMax - response.CalculateSize());
        response.Foreign.AddRange(foreign);
        response.ForeignLeftOut = (uint)leftOut;
        return response;
    }

    private async Task<InspectImageResponse> InspectAsync(InspectImageRequest request, CancellationToken cancellationToken) =>
        new() { Image = await images.FindAsync(request.Reference, cancellationToken).ConfigureAwait(false) };

    private async Task<RemoveImageResponse> RemoveAsync(RemoveImageRequest request, CancellationToken cancellationToken)
    {
        ImageRecord record = await images.FindAsync(request.Reference, cancellationToken).ConfigureAwait(false);
        string full = $"{record.Name}:{record.Tag}";
        string[] users = [.. (await cluster.Vms.ListAsync(cancellationToken).ConfigureAwait(false))
            .Where(vm => IsUser(vm.Spec, record)).Select(vm => vm.Spec.Name)];
        if (users.Length > 0 && !request.Force)
        {
            throw new RpcException(
                RpcStatusCode.FailedPrecondition, $"The image {full} is used by VMs: {string.Join(", ", users)}. Remove them first, or remove the image by force.");
        }

        await images.RemoveAsync(record, cancellationToken).ConfigureAwait(false);
        return new RemoveImageResponse();
    }

    private async Task<VerifyImageResponse> VerifyAsync(VerifyImageRequest request, CancellationToken cancellationToken)
    {
        ImageRecord record = await images.FindAsync(request.Reference, cancellationToken).ConfigureAwait(false);
        BlobHash hash = new(record.Hash.Span);
        if (!images.Store.TryGet(hash, out _))
            throw new RpcException(RpcStatusCode.NotFound, $"The image {record.Name}:{record.Tag} is not on {self.Name}. Pull it first.");
        return new VerifyImageResponse { Image = record, Damaged = { await images.Store.VerifyAsync(hash, cancellationToken).ConfigureAwait(false) } };
    }

    private async Task<ShareCatalogueResponse> ShareAsync(ShareCatalogueRequest request, CancellationToken cancellationToken)
    {
        TimeSpan ttl = request.Ttl?.ToTimeSpan() ?? NodeCatalogue.TtlDefault;
        if (ttl < TimeSpan.FromSeconds(1) || ttl > NodeCatalogue.TtlMax)
            throw new RpcException(RpcStatusCode.InvalidArgument, $"a catalogue is shared for 1 second to {NodeCatalogue.TtlMax.TotalDays} days");
        (DocTicket ticket, DateTimeOffset until) = await catalogue.ShareAsync(ttl, cancellationToken).ConfigureAwait(false);
        return new ShareCatalogueResponse { Ticket = ticket.ToString(), Until = Timestamp.FromDateTimeOffset(until) };
    }

    private async Task<RevokeCatalogueResponse> RevokeAsync(CancellationToken cancellationToken)
    {
        await catalogue.RevokeAsync(cancellationToken).ConfigureAwait(false);
        return new RevokeCatalogueResponse();
    }

    private async Task<AddCatalogueResponse> AddCatalogueAsync(AddCatalogueRequest request, CancellationToken cancellationToken)
    {
        await catalogue.AddAsync(request.Name, request.Ticket, cancellationToken).ConfigureAwait(false);
        return new AddCatalogueResponse();
    }

    private async Task<ListCataloguesResponse> ListCataloguesAsync(CancellationToken cancellationToken) =>
        new() { Catalogues = { await catalogue.ListAsync(cancellationToken).ConfigureAwait(false) } };

    private async Task<RemoveCatalogueResponse> RemoveCatalogueAsync(RemoveCatalogueRequest request, CancellationToken cancellationToken)
    {
        await cluster.Catalogues.RemoveForeignAsync(request.Name, cancellationToken).ConfigureAwait(false);
        return new RemoveCatalogueResponse();
    }

    // A VM that was recorded before hashes were uses whatever its name stands for.
    private static bool IsUser(V1.VmSpec vm, ImageRecord image) =>
        ImageRecords.Normalize(vm.Image) == $"{image.Name}:{image.Tag}" && (vm.ImageHash.IsEmpty || vm.ImageHash == image.Hash);

    private sealed class ProgressChannel(ChannelWriter<ImageProgress> steps) : IProgress<Blixard.Images.ImageProgress>
    {
        public void Report(Blixard.Images.ImageProgress value) => steps.TryWrite(new ImageProgress
        {
            Part = value.Part,
            DoneBytes = (ulong)value.DoneBytes,
            TotalBytes = (ulong)value.TotalBytes,
            BytesPerSecond = (ulong)value.BytesPerSecond,
            Sources =
            {
                value.Sources.Select(source => new ImageSource
                {
                    Name = source.Name, Bytes = (ulong)source.Bytes, BytesPerSecond = (ulong)source.BytesPerSecond, Trouble = source.Trouble ?? "",
                }),
            },
        });
    }
}
