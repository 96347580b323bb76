namespace Iroh.Quic.Protocol.Primitives;

/// <summary>The packet numbers from <see cref="First"/> to <see cref="Last"/>, both included: one ACK range (RFC 9000 §19.3.1).</summary>
/// <param name="First">The smallest number.</param>
/// <param name="Last">The largest number, not below <paramref name="First"/>.</param>
public readonly record struct PacketNumberRange(PacketNumber First, PacketNumber Last)
{
    /// <summary>Whether <paramref name="number"/> lies in the range.</summary>
    public bool Contains(PacketNumber number) => number.Value >= First.Value && number.Value <= Last.Value;
}
