using Blixard.Cluster.Store;
using Blixard.Etcd.Wire;
using Blixard.Rpc.Calls;

namespace Blixard.Etcd.Store;

/// <summary>How many entries to ask for at a time. etcd limits an answer by entries only, so the size of the last page, or the
/// failure of one, says how many go into the next.</summary>
internal static class EtcdPages
{
    /// <summary>As many as surely fit one message, whatever their size.</summary>
    public const int Least = RpcLimits.MessageLengthMax / (StoreLimits.ValueBytesMax + StoreLimits.KeyBytesMax + EntryOverhead);

    /// <summary>The first page: records of a small fleet in one, and of the largest entries no more than 64 MiB for etcd to encode.</summary>
    public const int First = 64;

    /// <summary>The largest page: beyond it the number of round trips no longer matters.</summary>
    public const int Most = 2_048;

    // A quarter of the largest message: pages may turn out four times as large as the last one made expect.
    private const int TargetBytes = RpcLimits.MessageLengthMax / 4;

    // Revisions, version, lease and the lengths of everything.
    private const int EntryOverhead = 64;

    /// <summary>The size of the page after <paramref name="page"/>, which was not the last.</summary>
    public static int Next(RangeResponse page) =>
        (int)Math.Clamp((long)TargetBytes * page.Kvs.Count / Math.Max(1, page.CalculateSize()), Least, Most);
}
