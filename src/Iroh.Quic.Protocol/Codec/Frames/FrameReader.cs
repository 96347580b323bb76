using System.Diagnostics.CodeAnalysis;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>What all frames have in common when they are read.</summary>
internal static class FrameReader
{
    /// <summary>Reads the type of the next frame. The reader must not be at its end.</summary>
    /// <param name="reader">Left behind the type.</param>
    /// <param name="type">Any value; whether it is known and allowed is <see cref="FramePermissions"/>' answer.</param>
    /// <param name="error">FRAME_ENCODING_ERROR for a type that is cut off, PROTOCOL_VIOLATION for a form that is not the shortest.</param>
    public static bool TryReadType(ref WireReader reader, out ulong type, [NotNullWhen(false)] out TransportError? error)
    {
        int start = reader.Position;
        if (!reader.TryReadVarInt(out type))
        {
            error = new TransportError(TransportErrorCode.FrameEncodingError, "A frame type is cut off.");
            return false;
        }

        // RFC 9000 §12.4: the type MUST use the shortest form; anything else MAY be a PROTOCOL_VIOLATION.
        if (reader.Position - start != VarInt.Length(type))
        {
            error = new TransportError(TransportErrorCode.ProtocolViolation, type, "A frame type is not in its shortest form.");
            return false;
        }

        error = null;
        return true;
    }

    /// <summary>The error for a frame whose <c>TryRead</c> said no.</summary>
    public static TransportError Malformed(ulong type) =>
        new(TransportErrorCode.FrameEncodingError, type, $"A frame of type 0x{type:x} cannot be read.");
}
