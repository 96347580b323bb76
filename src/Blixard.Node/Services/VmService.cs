using System.Runtime.CompilerServices;
using Blixard.Cluster.Placement;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Hosting;
using Blixard.Node.Images;
using Blixard.Node.Membership;
using Blixard.Node.Peers;
using Blixard.Node.Vms;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;
using Google.Protobuf;
using VmRecord = Blixard.V1.VmRecord;
using VmSpec = Blixard.V1.VmSpec;

namespace Blixard.Node.Services;

/// <summary>The handlers of <c>blixard.v1.Vm</c>. What concerns a VM's console is passed on to the node that owns it.</summary>
internal sealed class VmService(NodeSelf self, NodeCluster cluster, NodeImages images, StatusReport status, PeerTable peers, Func<VmHost> host)
{
    private const int TailLinesMax = 100_000;
    private const int PieceLengthMax = 64 * 1024;
    private const ulong MemoryMibMin = 64;

    public RpcService Bind() => new RpcService(VmReflection.Descriptor, "Vm")
        .Unary(VmMethods.Run, (request, context) => Failures.ExplainAsync(RunAsync(request, context.CancellationToken)))
        .Unary(VmMethods.List, (request, context) => Failures.ExplainAsync(ListAsync(request, context.CancellationToken)))
        .Unary(VmMethods.Inspect, (request, context) => Failures.ExplainAsync(InspectAsync(request, context.CancellationToken)))
        .Unary(VmMethods.Start, (request, context) => Failures.ExplainAsync(StartAsync(request, context.CancellationToken)))
        .Unary(VmMethods.Stop, (request, context) => Failures.ExplainAsync(StopAsync(request, context.CancellationToken)))
        .Unary(VmMethods.Remove, (request, context) => Failures.ExplainAsync(RemoveAsync(request, context.CancellationToken)))
        .ServerStreaming(VmMethods.Logs, LogsAsync)
        .Duplex(VmMethods.Console, (inputs, context) => ConsoleAsync(inputs, context));

    private async Task<RunResponse> RunAsync(RunRequest request, CancellationToken cancellationToken)
    {
        if (request.Spec is null)
            throw new RpcException(RpcStatusCode.InvalidArgument, "the request holds no specification");
        VmSpec spec = VmSpecs.Complete(request.Spec);
        if (VmSpecs.ToHost(spec).Check() is { } wrong)
            throw new RpcException(RpcStatusCode.InvalidArgument, $"{char.ToUpperInvariant(wrong[0])}{wrong[1..]}.");
        if (spec.MemoryMib < MemoryMibMin)
            throw new RpcException(RpcStatusCode.InvalidArgument, $"A VM has at least {MemoryMibMin} MiB of memory; {spec.MemoryMib} were asked for.");
        ImageRecord image = await images.FindAsync(spec.Image, cancellationToken).ConfigureAwait(false);
        spec.Image = $"{image.Name}:{image.Tag}";
        spec.ImageHash = image.Hash;
        IReadOnlyList<VmRecord> vms = await cluster.Vms.ListAsync(cancellationToken).ConfigureAwait(false);
        if (vms.Any(vm => vm.Spec.Name == spec.Name))
            throw new RpcException(RpcStatusCode.AlreadyExists, $"There is a VM called {spec.Name} already.");
        PlacementDecision decision = Place(spec, status.Rooms(vms));
        if (decision.Node is not { } node)
        {
            RpcStatusCode code = spec.Node.Length > 0 && !cluster.Directory.TryGet(spec.Node, out _) ? RpcStatusCode.NotFound : RpcStatusCode.ResourceExhausted;
            throw new RpcException(code, $"The VM {spec.Name} fits nowhere: {decision.Reason}.");
        }

        var response = new RunResponse { Vm = await cluster.Vms.CreateAsync(spec, node, cancellationToken).ConfigureAwait(false) };
        // Nobody has reported about it yet: the answer says why it goes there.
        response.Vm.Status.Reason = decision.Reason;
        return response;
    }

    private static PlacementDecision Place(VmSpec spec, IReadOnlyList<FailoverNode> rooms)
    {
        var request = PlacementRequest.Of(spec);
        if (spec.Node.Length == 0 || rooms.FirstOrDefault(room => room.Node.Name == spec.Node) is not { LostSince: { } since } lost)
            return Placer.Place(request, [.. rooms.Select(room => room.Node)]);
        // Who names a node that is lost means that one, and waits for it.
        PlacementDecision decision = Placer.Place(request, [lost.Node with { IsReady = true }]);
        return decision.Node is null
            ? decision
            : decision with { Reason = $"{decision.Reason}; {spec.Node} is lost since {FailoverPlanner.Describe(since)}, and the VM waits for it" };
    }

    private async Task<ListVmsResponse> ListAsync(ListVmsRequest request, CancellationToken cancellationToken)
    {
        var response = new ListVmsResponse();
        response.Vms.AddRange(status.Show(await cluster.Vms.ListAsync(cancellationToken).ConfigureAwait(false))
            .Where(vm => request.Node.Length == 0 || vm.Status.Node == request.Node));
        return response;
    }

    private async Task<InspectVmResponse> InspectAsync(InspectVmRequest request, CancellationToken cancellationToken)
    {
        // What a VM of a lost node waits for depends on the others.
        IReadOnlyList<VmRecord> vms = status.Show(await cluster.Vms.ListAsync(cancellationToken).ConfigureAwait(false));
        return new InspectVmResponse
        {
            Vm = vms.FirstOrDefault(vm => vm.Spec.Name == request.Name)
                ?? await cluster.Vms.GetAsync(request.Name, cancellationToken).ConfigureAwait(false),
        };
    }

    private async Task<StartResponse> StartAsync(StartRequest request, CancellationToken cancellationToken) =>
        new() { Vm = await cluster.Vms.SetDesiredAsync(request.Name, DesiredState.Running, null, cancellationToken).ConfigureAwait(false) };

    private async Task<StopResponse> StopAsync(StopRequest request, CancellationToken cancellationToken) =>
        new() { Vm = await cluster.Vms.SetDesiredAsync(request.Name, DesiredState.Stopped, request.Grace?.ToTimeSpan(), cancellationToken).ConfigureAwait(false) };

    private async Task<RemoveVmResponse> RemoveAsync(RemoveVmRequest request, CancellationToken cancellationToken)
    {
        await cluster.Vms.RemoveAsync(request.Name, request.Force, cancellationToken).ConfigureAwait(false);
        return new RemoveVmResponse();
    }

    private async IAsyncEnumerable<LogsResponse> LogsAsync(LogsRequest request, RpcContext context)
    {
        if (request.TailLines > TailLinesMax)
            throw new RpcException(RpcStatusCode.InvalidArgument, $"at most {TailLinesMax} lines can be asked for");
        CancellationToken cancellationToken = context.CancellationToken;
        if (await FindOwnerAsync(request.Name, context).ConfigureAwait(false) is { } owner)
        {
            await foreach (LogsResponse piece in owner.StreamAsync(VmMethods.Logs, request, null, cancellationToken).ConfigureAwait(false))
                yield return piece;
            yield break;
        }

        IAsyncEnumerable<ReadOnlyMemory<byte>> pieces = host().ReadConsoleAsync(
            request.Name, request.Follow, request.TailLines == 0 ? null : (int)request.TailLines, cancellationToken);
        await using IAsyncEnumerator<ReadOnlyMemory<byte>> each = pieces.GetAsyncEnumerator(cancellationToken);
        while (await Failures.ExplainAsync(each.MoveNextAsync().AsTask()).ConfigureAwait(false))
            yield return new LogsResponse { Data = ByteString.CopyFrom(each.Current.Span) };
    }

    private async IAsyncEnumerable<ConsoleOutput> ConsoleAsync(
        IAsyncEnumerable<ConsoleInput> inputs, RpcContext context)
    {
        CancellationToken cancellationToken = context.CancellationToken;
        await using IAsyncEnumerator<ConsoleInput> each = inputs.GetAsyncEnumerator(cancellationToken);
        if (!await each.MoveNextAsync().ConfigureAwait(false))
            throw new RpcException(RpcStatusCode.InvalidArgument, "the first message names the VM; none came");
        ConsoleInput first = each.Current;
        IAsyncEnumerable<ConsoleOutput> outputs = await FindOwnerAsync(first.Name, context).ConfigureAwait(false) is { } owner
            ? owner.DuplexAsync(VmMethods.Console, RejoinAsync(first, each), null, cancellationToken)
            : AttachAsync(first, each, cancellationToken);
        await foreach (ConsoleOutput output in outputs.ConfigureAwait(false))
            yield return output;
    }

    private static async IAsyncEnumerable<ConsoleInput> RejoinAsync(ConsoleInput first, IAsyncEnumerator<ConsoleInput> rest)
    {
        yield return first;
        while (await rest.MoveNextAsync().ConfigureAwait(false))
            yield return rest.Current;
    }

    private async IAsyncEnumerable<ConsoleOutput> AttachAsync(
        ConsoleInput first, IAsyncEnumerator<ConsoleInput> rest, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using ConsoleConnection console = await Failures.ExplainAsync(
            AttachAsync(first.Name, cancellationToken)).ConfigureAwait(false);
        yield return new ConsoleOutput();
        using var detaching = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task typing = TypeAsync(console.Stream, first, rest, detaching.Token);
        byte[] buffer = new byte[PieceLengthMax];
        try
        {
            while (await ReadAsync(console.Stream, buffer, cancellationToken).ConfigureAwait(false) is > 0 and var count)
                yield return new ConsoleOutput { Data = ByteString.CopyFrom(buffer, 0, count) };
        }
        finally
        {
            await detaching.CancelAsync().ConfigureAwait(false);
            await typing.ConfigureAwait(false);
        }
    }

    private async Task<ConsoleConnection> AttachAsync(string name, CancellationToken cancellationToken) =>
        await host().AttachConsoleAsync(name, cancellationToken).ConfigureAwait(false);

    // A guest that ends takes its console with it: that is the end of the output, not a failure.
    private static async Task<int> ReadAsync(Stream console, byte[] buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await console.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static async Task TypeAsync(Stream console, ConsoleInput first, IAsyncEnumerator<ConsoleInput> rest, CancellationToken cancellationToken)
    {
        try
        {
            await console.WriteAsync(first.Data.Memory, cancellationToken).ConfigureAwait(false);
            while (await rest.MoveNextAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(false))
                await console.WriteAsync(rest.Current.Data.Memory, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or RpcException)
        {
            // Detached, or the guest ended: whoever reads the output learns it.
        }
    }

    /// <summary>Calls the node that owns a VM; null if it is this one.</summary>
    private async Task<IRpcCaller?> FindOwnerAsync(string name, RpcContext context)
    {
        VmRecord vm = await Failures.ExplainAsync(cluster.Vms.GetAsync(name, context.CancellationToken)).ConfigureAwait(false);
        if (vm.Status.Node == self.Name)
            return null;
        // Only what came from this machine is passed on: nodes that disagree about an owner must not send a call round in circles.
        return context.Peer.Transport == RpcTransport.Local
            ? peers.CallerOf(vm.Status.Node)
            : throw new RpcException(RpcStatusCode.Unavailable, $"the VM {name} is not on {self.Name} but on {vm.Status.Node}");
    }
}
