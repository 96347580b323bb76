using System.Runtime.CompilerServices;

namespace Iroh.Docs;

/// <summary>Room for a key or a hash inside a struct.</summary>
[InlineArray(Length)]
internal struct Bytes32
{
    internal const int Length = 32;

    private byte _element0;
}
