namespace Blixard.Rpc.Exchanges;

/// <summary>The limits of exchanges.</summary>
public static class ExchangeLimits
{
    /// <summary>The longest name of a protocol in characters.</summary>
    public const int ProtocolLengthMax = 64;

    /// <summary>The longest piece of data in bytes: large enough that a frame's cost does not show, small enough for a pooled buffer.</summary>
    public const int DataLengthMax = 64 * 1024;

    /// <summary>Bytes that wait in one direction before the writer does: what a link of 100 ms carries at 40 Mbit/s.</summary>
    public const int WindowLength = 512 * 1024;
}
