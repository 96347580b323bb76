using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>A path id in a frame: a variable-length integer below 2^32 (draft-ietf-quic-multipath-21 §4).</summary>
internal static class PathIdField
{
    /// <summary>Reads one. False if it is cut off or too large.</summary>
    public static bool TryRead(scoped ref WireReader reader, out PathId id)
    {
        bool isRead = reader.TryReadVarInt(out ulong value) && value <= uint.MaxValue;
        id = isRead ? new PathId((uint)value) : default;
        return isRead;
    }
}
