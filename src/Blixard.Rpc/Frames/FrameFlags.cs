namespace Blixard.Rpc.Frames;

/// <summary>The last two bytes of the header. Bits that are not listed are refused: a later version may give them a meaning that
/// must not be overlooked.</summary>
[Flags]
public enum FrameFlags : ushort
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>On <see cref="FrameType.Request"/>: the request messages follow as <see cref="FrameType.StreamData"/>.</summary>
    RequestsFollow = 1,
    /// <summary>On <see cref="FrameType.Request"/>: no more frames follow from the caller, and one from the server; from then on the
    /// stream carries bytes as they are.</summary>
    BytesFollow = 2,
}
