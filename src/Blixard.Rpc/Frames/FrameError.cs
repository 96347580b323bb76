namespace Blixard.Rpc.Frames;

/// <summary>What is wrong with bytes that should be a frame.</summary>
public enum FrameError
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>The version is not 1.</summary>
    UnsupportedVersion,
    /// <summary>The type is not one of the seven.</summary>
    UnknownType,
    /// <summary>The payload would be longer than 10 MiB.</summary>
    PayloadTooLong,
    /// <summary>A flag that this version does not know, or not for this type.</summary>
    UnknownFlags,
    /// <summary>The stream ended within the frame.</summary>
    Truncated,
}
