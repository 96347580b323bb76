namespace Iroh.Blobs;

/// <summary>What a blob's bytes are taken for. The numbers are those of the wire.</summary>
public enum BlobFormat
{
    /// <summary>Just bytes.</summary>
    Raw = 0,

    /// <summary>Hashes of 32 bytes each, one after another, of blobs that belong to this one.</summary>
    HashSequence = 1,
}
