using System.Runtime.CompilerServices;

namespace Iroh.Gossip;

/// <summary>Room for 32 bytes inside a value.</summary>
[InlineArray(Length)]
internal struct Bytes32
{
    public const int Length = 32;

    private byte _element0;
}
