namespace Blixard.Images.Catalogue;

/// <summary>A member, as far as it matters for who says the names.</summary>
/// <param name="Node">Its name.</param>
/// <param name="IsAlive">Whether it lives, as far as is known.</param>
/// <param name="HasP2p">Whether it can be reached over P2P, without which it has no document.</param>
public readonly record struct SpeakerCandidate(string Node, bool IsAlive, bool HasP2p);

/// <summary>
/// Decides which member says the names in the catalogue's document: of those that live and have P2P the first by name, in the order of bytes. A
/// pure function of what every node knows. While two disagree on who lives both speak, and say the same.
/// </summary>
public static class SpeakerPlan
{
    /// <summary>Whether this node, which lives and has P2P, says the names.</summary>
    /// <param name="self">This node's name.</param>
    /// <param name="others">The other members, in any order.</param>
    public static bool IsSpeaker(string self, IEnumerable<SpeakerCandidate> others)
    {
        ArgumentNullException.ThrowIfNull(others);
        return others.All(other => !other.IsAlive || !other.HasP2p || string.CompareOrdinal(other.Node, self) > 0);
    }
}
