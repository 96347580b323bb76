namespace Blixard.Images.Blobs;

/// <summary>What a <see cref="BlobStore"/> keeps to.</summary>
public sealed record BlobStoreOptions
{
    /// <summary>The most bytes that blobs, finished and partial, may take together; more than zero. Null (the default): what the disk has.</summary>
    public long? QuotaBytes { get; init; }

    /// <summary>Says what is wrong, or null.</summary>
    public string? Check() => QuotaBytes is <= 0 ? $"the quota of the image store is {QuotaBytes} bytes; it must be more than zero" : null;
}
