using Iroh.Cryptography;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>
/// The ports that a NAT gives out, in an order that starts anywhere and visits each once: a step that has no factor in common with their
/// number. The ports that are sought are where chance has put them, so this order is as good as any, and needs no table.
/// </summary>
internal readonly struct PortOrder
{
    /// <summary>NATs leave the system ports alone.</summary>
    public const int First = 1024;

    /// <summary>How many ports there are from <see cref="First"/> on: 64,512 = 2^10 · 3^2 · 7.</summary>
    public const int Count = 65_536 - First;

    private readonly uint _start;
    private readonly uint _step;

    /// <summary>Chooses an order.</summary>
    public PortOrder(RandomSource random)
    {
        _start = (uint)random.NextBelow(Count);
        do
        {
            _step = 1 + (uint)random.NextBelow(Count - 1);
        }
        while (_step % 2 == 0 || _step % 3 == 0 || _step % 7 == 0);
    }

    /// <summary>The port at a place in the order.</summary>
    /// <param name="index">Below <see cref="Count"/>.</param>
    public ushort this[int index] => (ushort)(First + ((_start + ((ulong)_step * (uint)index)) % Count));
}
