using Iroh.Blobs;
using Iroh.Blobs.Store;

namespace Blixard.Cli.Blobs;

/// <summary>Names of blobs' properties in JSON.</summary>
internal static class BlobJson
{
    public static string NameOf(BlobFormat format) => format == BlobFormat.HashSequence ? "hashSequence" : "raw";

    public static string NameOf(StoreProblem problem) => problem switch
    {
        StoreProblem.OrphanFile => "orphanFile",
        StoreProblem.MissingContent => "missingContent",
        StoreProblem.WrongContent => "wrongContent",
        StoreProblem.WrongOutboard => "wrongOutboard",
        StoreProblem.WrongBitfield => "wrongBitfield",
        _ => "changedReference",
    };
}
