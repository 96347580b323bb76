using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Etcd.Client;
using Blixard.Etcd.Membership;
using Blixard.Images;
using Blixard.Images.Manifests;
using Blixard.MicroVm.Model;
using Blixard.Rpc.Calls;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;

namespace Blixard.Node.Services;

/// <summary>What the rooms throw, as statuses of calls.</summary>
internal static class Failures
{
    /// <summary>Runs a handler and turns the rooms' exceptions into statuses.</summary>
    public static async Task<T> ExplainAsync<T>(Task<T> work)
    {
        try
        {
            return await work.ConfigureAwait(false);
        }
        catch (Exception e) when (Explain(e) is { } explained)
        {
            throw explained;
        }
    }

    /// <summary>The status for an exception of a room; null for one that is none of theirs.</summary>
    public static RpcException? Explain(Exception e)
    {
        RpcStatusCode? code = e switch
        {
            MembershipException membership => CodeOf(membership.Failure),
            RecordException record => CodeOf(record.Failure),
            VmException vm => CodeOf(vm.Failure),
            StoreUnavailableException => RpcStatusCode.Unavailable,
            EtcdException => RpcStatusCode.Unavailable,
            EtcdMembershipException change => change.Failure == EtcdMembershipFailure.TimedOut ? RpcStatusCode.Unavailable : RpcStatusCode.FailedPrecondition,
            InvalidManifestException => RpcStatusCode.InvalidArgument,
            StoreFullException => RpcStatusCode.ResourceExhausted,
            BlobDamagedException => RpcStatusCode.DataLoss,
            BlobTransferException transfer => CodeOf(transfer.Failure),
            ImageException => RpcStatusCode.FailedPrecondition,
            IOException or UnauthorizedAccessException => RpcStatusCode.FailedPrecondition,
            ArgumentException => RpcStatusCode.InvalidArgument,
            _ => null,
        };
        return code is { } known ? new RpcException(known, Text(e), inner: e) : null;
    }

    // The name of a method's parameter, which .NET adds, says nothing to a caller far away.
    private static string Text(Exception e) =>
        e is ArgumentException { ParamName: { } parameter } ? e.Message.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal) : e.Message;

    private static RpcStatusCode CodeOf(MembershipFailure failure) => failure switch
    {
        MembershipFailure.TokenUnknown or MembershipFailure.TokenExpired or MembershipFailure.TokenUsedUp => RpcStatusCode.Unauthenticated,
        MembershipFailure.RoleRefused => RpcStatusCode.PermissionDenied,
        MembershipFailure.NameTaken or MembershipFailure.OtherName => RpcStatusCode.AlreadyExists,
        MembershipFailure.InvalidNode => RpcStatusCode.InvalidArgument,
        MembershipFailure.NotAMember => RpcStatusCode.NotFound,
        MembershipFailure.Busy => RpcStatusCode.Aborted,
        _ => RpcStatusCode.FailedPrecondition,
    };

    private static RpcStatusCode CodeOf(RecordFailure failure) => failure switch
    {
        RecordFailure.NotFound => RpcStatusCode.NotFound,
        RecordFailure.AlreadyExists => RpcStatusCode.AlreadyExists,
        RecordFailure.Invalid => RpcStatusCode.InvalidArgument,
        _ => RpcStatusCode.FailedPrecondition,
    };

    private static RpcStatusCode CodeOf(BlobTransferFailure failure) => failure switch
    {
        BlobTransferFailure.Lying => RpcStatusCode.DataLoss,
        BlobTransferFailure.NotFound => RpcStatusCode.NotFound,
        BlobTransferFailure.Refused => RpcStatusCode.PermissionDenied,
        _ => RpcStatusCode.Unavailable,
    };

    private static RpcStatusCode CodeOf(VmFailure failure) => failure switch
    {
        VmFailure.NotFound => RpcStatusCode.NotFound,
        VmFailure.InvalidSpec => RpcStatusCode.InvalidArgument,
        _ => RpcStatusCode.FailedPrecondition,
    };
}
