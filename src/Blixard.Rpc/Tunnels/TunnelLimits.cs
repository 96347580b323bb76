namespace Blixard.Rpc.Tunnels;

/// <summary>Limits of the frames of a tunnel.</summary>
public static class TunnelLimits
{
    /// <summary>The most bytes in one data frame: enough for full speed, little enough that what waits behind it on the same
    /// connection waits for milliseconds only, and below the size from which on .NET keeps arrays apart.</summary>
    public const int DataLengthMax = 64 * 1024;

    /// <summary>The longest name of a target, in characters: names are words such as "raft".</summary>
    public const int TargetLengthMax = 64;
}
