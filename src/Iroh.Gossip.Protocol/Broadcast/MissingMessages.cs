using Iroh.Base;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip.Broadcast;

/// <summary>Messages that were announced and have not come: who has them, and when the next is asked.</summary>
/// <param name="firstDelay">How long a message may take to come by itself.</param>
/// <param name="repeatDelay">How long whoever was asked may take before the next is asked.</param>
internal sealed class MissingMessages(TimeSpan firstDelay, TimeSpan repeatDelay)
{
    /// <summary>Messages that are missed at a time: neighbors may announce what does not exist. Others are not asked for, and come or not.</summary>
    public const int Capacity = 1024;

    /// <summary>How often all advertisers are asked in turn before a message is given up.</summary>
    public const int PassesMax = 3;

    // Between two passes: the first may have been too fast for the way to the advertisers.
    private static readonly TimeSpan s_passDelay = TimeSpan.FromMilliseconds(500);

    private readonly Dictionary<MessageId, Missing> _missing = [];
    private readonly SortedSet<(TimeSpan At, MessageId Id)> _timers = [];

    public int Count => _missing.Count;

    public TimeSpan NextDeadline => _timers.Count == 0 ? TimeSpan.MaxValue : _timers.Min.At;

    /// <summary>Somebody has a message that is not here.</summary>
    public void Add(TimeSpan now, MessageId id, EndpointId advertiser, int round)
    {
        if (!_missing.TryGetValue(id, out Missing? missing))
        {
            if (_missing.Count == Capacity)
                return;
            _missing.Add(id, missing = new Missing { AskAt = now + firstDelay });
            _timers.Add((missing.AskAt, id));
        }

        // One notice a neighbor, of which there are few.
        if (!missing.Advertisers.Exists(known => known.Peer == advertiser))
            missing.Advertisers.Add((advertiser, round));
    }

    /// <summary>The message has come.</summary>
    /// <returns>The advertiser with the fewest rounds; null if nobody announced it.</returns>
    public (EndpointId Peer, int Round)? Remove(MessageId id)
    {
        if (!_missing.Remove(id, out Missing? missing))
            return null;
        _timers.Remove((missing.AskAt, id));
        return missing.Advertisers.Count == 0 ? null : missing.Advertisers.MinBy(advertiser => advertiser.Round);
    }

    /// <summary>A neighbor is gone, and so is what it announced.</summary>
    public void Remove(EndpointId advertiser)
    {
        foreach ((MessageId id, Missing missing) in _missing.ToArray())
        {
            int index = missing.Advertisers.FindIndex(known => known.Peer == advertiser);
            if (index < 0)
                continue;
            missing.Advertisers.RemoveAt(index);
            if (index < missing.Next)
                missing.Next--;
            if (missing.Advertisers.Count == 0)
                Remove(id);
            else if (missing.Next == missing.Advertisers.Count)
                // It was the one whose turn was next, and the last.
                (missing.Next, missing.Passes) = (0, missing.Passes + 1);
        }
    }

    /// <summary>Takes the next message that is to be asked for now, and whom to ask.</summary>
    public bool TryTakeDue(TimeSpan now, out MessageId id, out EndpointId advertiser, out int round)
    {
        while (_timers.Count > 0 && _timers.Min.At <= now)
        {
            (TimeSpan at, id) = _timers.Min;
            _timers.Remove((at, id));
            Missing missing = _missing[id];
            if (missing.Passes == PassesMax)
            {
                _missing.Remove(id);
                continue;
            }

            (advertiser, round) = missing.Advertisers[missing.Next++];
            bool isPassDone = missing.Next == missing.Advertisers.Count;
            if (isPassDone)
                (missing.Next, missing.Passes) = (0, missing.Passes + 1);
            missing.AskAt = now + (isPassDone ? s_passDelay : repeatDelay);
            _timers.Add((missing.AskAt, id));
            return true;
        }

        (id, advertiser, round) = (default, default, 0);
        return false;
    }

    private sealed class Missing
    {
        public List<(EndpointId Peer, int Round)> Advertisers { get; } = [];

        public int Next { get; set; }

        public int Passes { get; set; }

        public TimeSpan AskAt { get; set; }
    }
}
