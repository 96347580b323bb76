using Iroh.Blobs;

namespace Blixard.Cli.Blobs;

/// <summary>Names of blobs' properties in JSON.</summary>
internal static class BlobJson
{
    public static string NameOf(BlobFormat format) => format == BlobFormat.HashSequence ? "hashSequence" : "raw";
}
