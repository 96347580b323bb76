using System.Text;
using Iroh.Blobs;
using Iroh.Cryptography;

namespace Blixard.Images.Catalogue;

/// <summary>
/// Decides which nodes fetch an image so that there are as many copies as were wished for: a pure function of what every node knows, so
/// that each decides for itself and they agree. Nodes are ranked for each image by a hash of both (rendezvous hashing): load spreads, and a
/// node that comes or goes changes the turn of no others.
/// </summary>
public static class ReplicationPlan
{
    /// <summary>Whether this node should fetch the image now.</summary>
    /// <param name="image">The hash of its manifest.</param>
    /// <param name="copies">How many copies are wished for.</param>
    /// <param name="alive">The names of all nodes that are alive, this one among them.</param>
    /// <param name="holders">The names of the nodes that have it, alive or not.</param>
    /// <param name="self">This node's name.</param>
    public static bool ShouldFetch(BlobHash image, int copies, IReadOnlyCollection<string> alive, IReadOnlySet<string> holders, string self)
    {
        ArgumentNullException.ThrowIfNull(alive);
        ArgumentNullException.ThrowIfNull(holders);
        if (holders.Contains(self))
            return false;
        int missing = copies - alive.Count(holders.Contains);
        return missing > 0 && alive.Where(node => !holders.Contains(node)).OrderBy(node => RankOf(image, node)).Take(missing).Contains(self);
    }

    private static BlobHash RankOf(BlobHash image, string node)
    {
        var hasher = new Blake3Hasher();
        hasher.Update(image.ToArray());
        hasher.Update(Encoding.UTF8.GetBytes(node));
        Span<byte> rank = stackalloc byte[BlobHash.Length];
        hasher.Finish(rank);
        return new BlobHash(rank);
    }
}
