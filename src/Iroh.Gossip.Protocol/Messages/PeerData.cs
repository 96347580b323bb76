namespace Iroh.Gossip.Messages;

/// <summary>
/// What a peer says about itself to those that may want to dial it; opaque to the protocol, by convention its addresses
/// (<see cref="PeerAddresses"/>). Immutable.
/// </summary>
public sealed class PeerData : IEquatable<PeerData>
{
    private readonly byte[] _bytes;

    /// <summary>Copies the bytes.</summary>
    public PeerData(ReadOnlySpan<byte> bytes) => _bytes = bytes.ToArray();

    /// <summary>The bytes; empty when the peer says nothing.</summary>
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>How many bytes it has.</summary>
    public int Length => _bytes.Length;

    /// <inheritdoc/>
    public bool Equals(PeerData? other) => other is not null && Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PeerData);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(_bytes);
        return hash.ToHashCode();
    }
}
