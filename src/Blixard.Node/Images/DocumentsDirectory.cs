using Blixard.Node.Events;
using Iroh.Docs.Store;

namespace Blixard.Node.Images;

/// <summary>The directory of a node's documents. All that is in it can be had again: from the cluster store and from others.</summary>
internal static class DocumentsDirectory
{
    /// <summary>Opens the documents; those that are damaged are put aside with a warning, and made anew.</summary>
    /// <returns>The documents, or null and why there are none.</returns>
    public static (DiskDocumentStore? Store, string Trouble) Open(string directory, NodeEventHub events)
    {
        try
        {
            return (DiskDocumentStore.Open(directory), "");
        }
        catch (DocumentStoreInUseException e)
        {
            return (null, e.Message);
        }
        catch (DocumentStoreException e)
        {
            try
            {
                string aside = PutAside(directory);
                events.Publish(new WarningEvent($"{e.Message} They were put aside as {aside}, and are fetched anew."));
                return (DiskDocumentStore.Open(directory), "");
            }
            catch (Exception again) when (again is DocumentStoreException or IOException or UnauthorizedAccessException)
            {
                events.Publish(new WarningEvent($"This node goes on without catalogues for others: {e.Message}"));
                return (null, e.Message);
            }
        }
    }

    // Only the last damaged one is kept: it is of use to whoever looks for the reason, and to nobody else.
    private static string PutAside(string directory)
    {
        string aside = directory + ".damaged";
        if (Directory.Exists(aside))
            Directory.Delete(aside, recursive: true);
        Directory.Move(directory, aside);
        return aside;
    }
}
