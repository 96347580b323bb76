using System.Buffers.Binary;
using Blixard.Testing.Basics;
using Iroh.Blobs;
using Iroh.Cryptography;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Sync;

/// <summary>Sessions over a stream in memory, whose other end does what it likes.</summary>
public sealed class SyncSessionTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly NamespaceSecret s_document = NamespaceSecret.Generate(new SeededRandomSource(1));
    private static readonly Author s_author = Author.Generate(new SeededRandomSource(2));

    private readonly ManualTimeProvider _time = new();
    private readonly MemoryDuplex _far;
    private readonly SyncChannel _channel;
    private readonly SyncSession _session;
    private bool _mayHear = true;

    public SyncSessionTests()
    {
        (MemoryDuplex near, _far) = MemoryDuplex.CreatePair();
        _channel = new SyncChannel(near, () => near.FinishAsync().AsTask().GetAwaiter().GetResult(), _time, CancellationToken.None);
        _session = new SyncSession(_channel, _time, _ => _mayHear);
    }

    private static ReconciliationMessage Nothing { get; } =
        new([new FingerprintPart(new RecordRange(RecordKey.Zero, RecordKey.Zero), EntryFingerprint.Empty)]);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = Patience.Test)]
    public async Task A_frame_beyond_the_limit_is_refused_by_its_length()
    {
        Task<SyncMessage.Init> init = _session.ReadInitAsync();
        await _far.WriteAsync(Length(SyncLimits.FirstFrameBytesMax + 1), Cancel);
        Assert.Contains("262145 bytes", await BrokenAsync(init), StringComparison.Ordinal);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_frame_that_claims_more_than_it_sends_is_refused()
    {
        Task<ReconciliationOutcome> dial = DialAsync();
        await ReadFrameAsync();
        await _far.WriteAsync(Length(SyncLimits.FrameBytesMax), Cancel);
        await _far.WriteAsync(new byte[100], Cancel);
        await _far.FinishAsync(Cancel);
        Assert.Contains("ends within a message", await BrokenAsync(dial), StringComparison.Ordinal);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_silent_peer_is_given_up()
    {
        Task<ReconciliationOutcome> dial = DialAsync();
        await ReadFrameAsync();
        await _time.UntilTimerAsync(SyncLimits.SilenceMax, SyncLimits.SilenceMax);
        _time.Advance(SyncLimits.SilenceMax);
        Assert.Equal(SyncFailure.TimedOut, (await Assert.ThrowsAsync<SyncException>(() => dial.WaitAsync(s_patience, Cancel))).Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_peer_that_never_comes_to_an_end_is_given_up()
    {
        Task<ReconciliationOutcome> dial = DialAsync();
        await ReadFrameAsync();
        // Always the same wrong fingerprint, whatever is answered.
        byte[] round = new SyncMessage.Round(new ReconciliationMessage(
            [new FingerprintPart(new RecordRange(RecordKey.Zero, RecordKey.Zero), new EntryFingerprint(new byte[32]))])).Encode();
        for (int i = 0; i < SyncLimits.RoundsMax; i++)
        {
            await WriteFrameAsync(round);
            await ReadFrameAsync();
        }

        await WriteFrameAsync(round);

        Assert.Contains("does not come to an end", await BrokenAsync(dial), StringComparison.Ordinal);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData(SyncAbortReason.NotFound, SyncFailure.NotFound)]
    [InlineData(SyncAbortReason.AlreadySyncing, SyncFailure.AlreadySyncing)]
    [InlineData(SyncAbortReason.InternalError, SyncFailure.FailedAtPeer)]
    public async Task A_refusal_is_told_as_what_it_is(SyncAbortReason reason, SyncFailure failure)
    {
        Task<ReconciliationOutcome> dial = DialAsync();
        await WriteFrameAsync(new SyncMessage.Abort(reason).Encode());
        Assert.Equal(failure, (await Assert.ThrowsAsync<SyncException>(() => dial.WaitAsync(s_patience, Cancel))).Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_sync_under_way_ends_with_the_permission()
    {
        Task<ReconciliationOutcome> dial = DialAsync();
        await ReadFrameAsync();
        _mayHear = false;
        // An answer with all entries would follow.
        await WriteFrameAsync(new SyncMessage.Round(Nothing).Encode());
        Assert.Equal(SyncFailure.NotAllowed, (await Assert.ThrowsAsync<SyncException>(() => dial.WaitAsync(s_patience, Cancel))).Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_second_beginning_is_out_of_turn()
    {
        Task<ReconciliationOutcome> dial = DialAsync();
        await WriteFrameAsync(new SyncMessage.Init(s_document.Id, Nothing).Encode());
        Assert.Contains("out of turn", await BrokenAsync(dial), StringComparison.Ordinal);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_follows_the_end_is_refused_and_what_came_before_stays()
    {
        var replica = new Replica();
        Task<ReconciliationOutcome> dial = _session.DialAsync(s_document.Id, replica, ReconciliationOptions.Default);
        await ReadFrameAsync();
        SignedEntry entry = SignedEntry.Sign(s_document, s_author, "k"u8, new EntryRecord(1, BlobHash.Of("x"u8), new EntryTimestamp(1)));
        await WriteFrameAsync(new SyncMessage.Round(new ReconciliationMessage(
            [new ItemPart(new RecordRange(RecordKey.Zero, RecordKey.Zero), [new ReceivedEntry(entry, ContentStatus.Missing)], true)])).Encode());
        await _far.WriteAsync(new byte[] { 1 }, Cancel);
        Assert.Contains("after the end", await BrokenAsync(dial), StringComparison.Ordinal);
        Assert.Equal(1, replica.Set.Count);
    }

    public void Dispose()
    {
        _channel.Dispose();
        _far.Dispose();
    }

    private static byte[] Length(int length)
    {
        byte[] header = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(header, length);
        return header;
    }

    private static async Task<string> BrokenAsync(Task session)
    {
        var exception = await Assert.ThrowsAsync<SyncException>(() => session.WaitAsync(s_patience, Cancel));
        Assert.Equal(SyncFailure.ProtocolBroken, exception.Failure);
        return exception.Message;
    }

    private Task<ReconciliationOutcome> DialAsync()
    {
        var replica = new Replica();
        for (int i = 0; i < 3; i++)
            replica.Set.TryInsert(SignedEntry.Sign(s_document, s_author, [(byte)i], new EntryRecord(1, BlobHash.Of("x"u8), new EntryTimestamp(1))), out _);
        return _session.DialAsync(s_document.Id, replica, ReconciliationOptions.Default);
    }

    private async Task WriteFrameAsync(byte[] content) => await _far.WriteAsync((byte[])[.. Length(content.Length), .. content], Cancel);

    private async Task ReadFrameAsync()
    {
        byte[] header = new byte[4];
        await _far.ReadExactlyAsync(header, Cancel);
        await _far.ReadExactlyAsync(new byte[BinaryPrimitives.ReadInt32BigEndian(header)], Cancel);
    }

    private sealed class Replica : IReconciledReplica
    {
        public EntrySet Set { get; } = new();

        public RecordKey? FirstKey => Set.FirstKey;

        public long Count => Set.Count;

        public SignedEntry? Find(RecordKey key) => Set.Find(key);

        public SignedEntry? FindLast(RecordKey key) => Set.FindLast(key);

        public RangeSummary Summarize(RecordRange range) => Set.Summarize(range);

        public IEnumerable<SignedEntry> Entries(RecordRange range) => Set.Entries(range);

        public RecordKey? KeyAt(RecordRange range, long position) => Set.KeyAt(range, position);

        public ContentStatus StatusOf(BlobHash content) => ContentStatus.Missing;

        public IReadOnlyList<ReceivedEntry> Insert(IReadOnlyList<ReceivedEntry> entries) => [.. entries.Where(entry => Set.TryInsert(entry.Entry, out _))];
    }
}
