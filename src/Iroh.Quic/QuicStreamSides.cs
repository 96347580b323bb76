namespace Iroh.Quic;

/// <summary>Directions of a stream as seen from this end.</summary>
[Flags]
public enum QuicStreamSides
{
    /// <summary>What the peer sends.</summary>
    Read = 1,

    /// <summary>What this end sends.</summary>
    Write = 2,

    /// <summary>Both.</summary>
    Both = Read | Write,
}
