namespace Blixard.Rpc.Calls;

/// <summary>The end of a call as it is sent to the caller.</summary>
/// <param name="Code">How it ended.</param>
/// <param name="Message">What went wrong, for people; empty for <see cref="RpcStatusCode.Ok"/>.</param>
/// <param name="Details">Facts that belong to the code; their meaning is the method's. Usually empty.</param>
public readonly record struct RpcStatus(RpcStatusCode Code, string Message, ReadOnlyMemory<byte> Details = default)
{
    /// <summary>Success.</summary>
    public static RpcStatus Ok => new(RpcStatusCode.Ok, "");

    /// <summary>The longest <see cref="Message"/> that is sent or believed, in characters: it is for people, and on gRPC
    /// it shares the header block with everything else (Kestrel and grpc-js allow 8 to 32 KiB).</summary>
    public const int MessageLengthMax = 1024;

    /// <summary>Turns a number from the wire into a code; numbers that gRPC does not know become <see cref="RpcStatusCode.Unknown"/>.</summary>
    internal static RpcStatusCode CodeOf(long number) =>
        number is >= 0 and <= (long)RpcStatusCode.Unauthenticated ? (RpcStatusCode)number : RpcStatusCode.Unknown;

    /// <summary>The message cut to <see cref="MessageLengthMax"/>.</summary>
    internal string BoundedMessage => Message.Length <= MessageLengthMax ? Message : Message[..MessageLengthMax];
}
