using Iroh;
using Iroh.Base;

namespace Blixard.Node.Startup;

/// <summary>Reads the node's key as far as it can be read.</summary>
internal static class KeyLoader
{
    /// <summary>Reads the key file, or makes it at the node's very first start.</summary>
    /// <param name="path">The key file.</param>
    /// <param name="knownId">The id that the node had before, in hex; null at the first start.</param>
    /// <param name="problem">Why there is no key, for people; "" if there is.</param>
    public static SecretKey? TryLoad(string path, string? knownId, out string problem)
    {
        problem = "";
        try
        {
            // A node that had a key does not get another one by itself: it would be a stranger to its cluster.
            if (knownId is not null && !File.Exists(path))
            {
                problem = $"The key file {path} is gone. Restore it from a backup: it is the identity of this node.";
                return null;
            }

            SecretKey key = SecretKeyFile.LoadOrCreate(path);
            if (knownId is null || key.PublicKey.ToString() == knownId)
                return key;
            problem = $"The key file {path} holds another key (id {key.PublicKey.ToShortString()}) than this node's ({knownId[..10]}). Restore the right one.";
        }
        catch (SecretKeyFileException e)
        {
            problem = e.Message;
        }

        return null;
    }
}
