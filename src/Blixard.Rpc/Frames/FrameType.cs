namespace Blixard.Rpc.Frames;

/// <summary>What a frame is. The numbers travel in byte 1 of the header.</summary>
public enum FrameType : byte
{
    /// <summary>Begins a call; payload <c>RpcRequest</c>.</summary>
    Request = 1,
    /// <summary>The answer of a unary call, and its end; payload: the response message.</summary>
    Response = 2,
    /// <summary>The call failed, and has ended; payload <c>RpcError</c>.</summary>
    Error = 3,
    /// <summary>A message of a stream; payload: the message.</summary>
    StreamData = 4,
    /// <summary>The end of a stream; no payload. From the server it is the call's good end.</summary>
    StreamEnd = 5,
    /// <summary>Asks for a <see cref="Pong"/>; payload: up to 64 bytes that come back.</summary>
    Ping = 6,
    /// <summary>Answers a <see cref="Ping"/> with its request id and payload.</summary>
    Pong = 7,
}
