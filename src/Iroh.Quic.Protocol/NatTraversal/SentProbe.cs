using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>A probe that left.</summary>
/// <param name="Challenge">The data of its PATH_CHALLENGE, random.</param>
/// <param name="At">When: an answer tells the round trip time.</param>
internal readonly record struct SentProbe(ulong Challenge, Instant At);
