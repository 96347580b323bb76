using Iroh.Gossip.Messages;

namespace Iroh.Gossip.Broadcast;

/// <summary>Which messages have been seen, and the contents of the last ones for those who ask.</summary>
/// <param name="contentRetention">How long contents are kept.</param>
/// <param name="idRetention">How long ids are kept; not shorter.</param>
internal sealed class MessageMemory(TimeSpan contentRetention, TimeSpan idRetention)
{
    /// <summary>Ids that are remembered: 700 messages a second for 90 s, in some 10 MB.</summary>
    public const int IdsMax = 65_536;

    /// <summary>Contents that are kept, in bytes; the oldest go first.</summary>
    public const int ContentBytesMax = 8 * 1024 * 1024;

    // Entries that are due are taken out together, not one timer each.
    private static readonly TimeSpan s_evictionInterval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<MessageId, Entry> _entries = [];
    private readonly Queue<(MessageId Id, TimeSpan At)> _ids = new();
    private readonly Queue<(MessageId Id, TimeSpan At)> _contents = new();
    private TimeSpan _lastEviction;
    private long _contentBytes;

    public int Count => _entries.Count;

    /// <summary>When <see cref="Evict"/> has something to do.</summary>
    public TimeSpan NextEviction
    {
        get
        {
            TimeSpan id = _ids.TryPeek(out var oldestId) ? oldestId.At + idRetention : TimeSpan.MaxValue;
            TimeSpan content = _contents.TryPeek(out var oldestContent) ? oldestContent.At + contentRetention : TimeSpan.MaxValue;
            TimeSpan due = id < content ? id : content;
            return due == TimeSpan.MaxValue || due > _lastEviction + s_evictionInterval ? due : _lastEviction + s_evictionInterval;
        }
    }

    public bool Contains(MessageId id) => _entries.ContainsKey(id);

    /// <summary>Remembers a message that was not known, in the form in which it is passed on.</summary>
    public void Add(TimeSpan now, PayloadMessage message)
    {
        if (!_entries.TryAdd(message.Id, new Entry { Message = message }))
            return;
        _ids.Enqueue((message.Id, now));
        _contents.Enqueue((message.Id, now));
        _contentBytes += message.Content.Length;
        while (_contentBytes > ContentBytesMax)
            ForgetOldestContent();
        while (_ids.Count > IdsMax)
            ForgetOldestId();
    }

    /// <summary>The message as it is passed on; null if its content is no longer there.</summary>
    public PayloadMessage? Find(MessageId id) => _entries.GetValueOrDefault(id)?.Message;

    /// <summary>Those of the last messages that came since <paramref name="since"/>, the oldest first, at most <paramref name="count"/>.</summary>
    public IEnumerable<MessageNotice> Since(TimeSpan since, int count)
    {
        MessageNotice[] recent =
        [
            .. _contents.Where(content => content.At >= since).Select(content => Find(content.Id)).OfType<PayloadMessage>()
                .Select(message => new MessageNotice(message.Id, message.Round ?? 0)),
        ];
        return recent.TakeLast(count);
    }

    /// <summary>Forgets what is too old.</summary>
    public void Evict(TimeSpan now)
    {
        _lastEviction = now;
        while (_contents.TryPeek(out var content) && content.At + contentRetention <= now)
            ForgetOldestContent();
        while (_ids.TryPeek(out var id) && id.At + idRetention <= now)
            ForgetOldestId();
    }

    private void ForgetOldestContent()
    {
        Entry? entry = _entries.GetValueOrDefault(_contents.Dequeue().Id);
        _contentBytes -= entry?.Message?.Content.Length ?? 0;
        if (entry is not null)
            entry.Message = null;
    }

    private void ForgetOldestId()
    {
        // A content is never older than its id: both queues have the same order.
        if (_contents.Count == _ids.Count)
            ForgetOldestContent();
        _entries.Remove(_ids.Dequeue().Id);
    }

    private sealed class Entry
    {
        public PayloadMessage? Message { get; set; }
    }
}
