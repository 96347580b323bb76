namespace Blixard.Containers;

/// <summary>A container image cannot be made bootable. The message names what was wrong and where.</summary>
public sealed class ContainerImageException(ContainerImageFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What kind of reason it is.</summary>
    public ContainerImageFailure Failure { get; } = failure;

    internal static ContainerImageException Malformed(string message, Exception? inner = null) => new(ContainerImageFailure.Malformed, message, inner);

    internal static ContainerImageException TooLarge(string message) => new(ContainerImageFailure.TooLarge, message);

    internal static ContainerImageException Unsupported(string message) => new(ContainerImageFailure.Unsupported, message);

    internal static ContainerImageException Hostile(string message) => new(ContainerImageFailure.Hostile, message);

    internal static ContainerImageException NotFound(string message) => new(ContainerImageFailure.NotFound, message);
}

/// <summary>Why a container image was refused.</summary>
public enum ContainerImageFailure
{
    /// <summary>It breaks its format: cut off, a wrong checksum or digest, a size that is not true, JSON that is none.</summary>
    Malformed,

    /// <summary>It exceeds a limit of <see cref="ContainerLimits"/>.</summary>
    TooLarge,

    /// <summary>It is well-formed and made of something that is not supported: another compression, another media type, sparse files.</summary>
    Unsupported,

    /// <summary>It holds what no image needs and an attacker would: <c>..</c> in paths, device nodes, links in circles.</summary>
    Hostile,

    /// <summary>It is for another operating system or processor.</summary>
    WrongPlatform,

    /// <summary>Something that was named is not there: a file, an image in the archive, the program to start, a user.</summary>
    NotFound,
}
