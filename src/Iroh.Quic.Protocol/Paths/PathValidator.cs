namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// Whether the peer receives at the address of a path (RFC 9000 §8.2).
/// <code>
/// Idle --Begin--> Wanted --OnChallengeSent--> Waiting --OnResponse--> Idle, validated
///                   ^                            |
///                   +-------- OnTimeout ---------+
/// </code>
/// The owner runs the timers: one per unanswered challenge, and one after which it gives up.
/// </summary>
internal sealed class PathValidator
{
    /// <summary>
    /// Challenges remembered at once. A new one goes out after each probe timeout, doubled each time, and validation ends after three of
    /// them, so more than a few are never open; an answer to an older one is worth nothing.
    /// </summary>
    public const int ChallengesMax = 8;

    private readonly ulong[] _data = new ulong[ChallengesMax];
    private readonly bool[] _isExpanded = new bool[ChallengesMax];
    private int _sent;
    private bool _active;

    /// <summary>Starts with an address that is known to be the peer's, or is not.</summary>
    public PathValidator(bool isValidated) => IsValidated = isValidated;

    /// <summary>Whether the peer has shown that it receives at this address.</summary>
    public bool IsValidated { get; private set; }

    /// <summary>Whether a PATH_CHALLENGE should be sent now.</summary>
    public bool WantsChallenge { get; private set; }

    /// <summary>Whether an answer is awaited or about to be.</summary>
    public bool IsActive => _active;

    /// <summary>How many challenges have been sent since <see cref="Begin"/>.</summary>
    public int ChallengesSent => _sent;

    /// <summary>Asks for a challenge. Does not take back an earlier validation.</summary>
    public void Begin()
    {
        _active = true;
        _sent = 0;
        WantsChallenge = true;
    }

    /// <summary>A challenge was sent.</summary>
    /// <param name="data">Its 8 bytes.</param>
    /// <param name="isExpanded">Whether its datagram has the 1200 bytes that every path must carry (RFC 9000 §8.2.1).</param>
    public void OnChallengeSent(ulong data, bool isExpanded)
    {
        _data[_sent % ChallengesMax] = data;
        _isExpanded[_sent % ChallengesMax] = isExpanded;
        _sent++;
        WantsChallenge = false;
    }

    /// <summary>The last challenge was not answered in time; another is wanted.</summary>
    public void OnTimeout() => WantsChallenge = _active;

    /// <summary>A PATH_RESPONSE arrived. Returns whether it answers one of the challenges; then the address is validated.</summary>
    /// <param name="data">Its 8 bytes.</param>
    /// <param name="wasExpanded">Whether the challenge's datagram was.</param>
    public bool OnResponse(ulong data, out bool wasExpanded)
    {
        wasExpanded = false;
        if (!_active)
            return false;
        for (int i = 0; i < Math.Min(_sent, ChallengesMax); i++)
        {
            if (_data[i] != data)
                continue;
            wasExpanded = _isExpanded[i];
            MarkValidated();
            return true;
        }

        return false;
    }

    /// <summary>The address is known to be the peer's by other means: the handshake (RFC 9000 §8.1).</summary>
    public void MarkValidated()
    {
        IsValidated = true;
        Stop();
    }

    /// <summary>Gives up waiting for an answer.</summary>
    public void Stop()
    {
        _active = false;
        _sent = 0;
        WantsChallenge = false;
    }
}
