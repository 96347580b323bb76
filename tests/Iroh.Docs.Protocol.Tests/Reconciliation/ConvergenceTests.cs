using Iroh.Docs.Sync;

namespace Iroh.Docs.Reconciliation;

/// <summary>Random replicas become the same, whoever begins and whatever the parameters; every message goes through its bytes.</summary>
public sealed class ConvergenceTests
{
    // A session is two messages per halving and a few more; none of these has 2^20 entries.
    private const int MessagesMax = 60;

    // Signing takes most of the time: tests share what they need of it.
    private static readonly SignedEntry[] s_pool = MakePool();

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Two_replicas_become_the_same(int seed)
    {
        var random = new Random(seed);
        MemoryReplica left = RandomReplica(random), right = RandomReplica(random);
        SignedEntry[] union = [.. left.All, .. right.All];
        ReconciliationOptions theirs = new() { SetSizeMax = random.Next(1, 20), SplitFactor = random.Next(2, 9) };
        ReconciliationOptions ours = random.Next(2) == 0 ? ReconciliationOptions.Default : theirs;
        // A deletion that arrives late in a session removes entries of ranges that were settled before: then it takes another one.
        int sessions = 0;
        do
        {
            Assert.True(++sessions <= 4, $"seed {seed}: no end after {sessions} sessions");
            Synchronize(left, ours, right, theirs);
        }
        while (!left.State.SequenceEqual(right.State));
        Assert.Equal(Expected(union), left.State);
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(20, 3)]
    [InlineData(20, 4)]
    public void Many_replicas_converge_under_churn_and_partitions(int count, int seed)
    {
        var random = new Random(seed);
        MemoryReplica[] replicas = [.. Enumerable.Range(0, count).Select(_ => new MemoryReplica([]))];
        var written = new List<SignedEntry>();
        int side = count;
        for (int step = 0; step < 25 * count; step++)
        {
            switch (random.Next(6))
            {
                case 0:
                    // The network parts somewhere else, or comes together.
                    side = random.Next(count + 1);
                    break;
                case 1:
                    // A replica is lost and begins again with nothing.
                    if (random.Next(10) == 0)
                        replicas[random.Next(count)] = new MemoryReplica([]);
                    break;
                case 2 or 3:
                    SignedEntry entry = s_pool[random.Next(s_pool.Length)];
                    replicas[random.Next(count)].Insert(entry);
                    written.Add(entry);
                    break;
                default:
                    int one = random.Next(count), other = random.Next(count);
                    if (one != other && one < side == other < side)
                        Synchronize(replicas[one], ReconciliationOptions.Default, replicas[other], ReconciliationOptions.Default);
                    break;
            }
        }

        // The network is whole again: everybody syncs with everybody until nothing changes.
        for (int round = 0; round < 4; round++)
        {
            for (int one = 0; one < count; one++)
                Synchronize(replicas[one], ReconciliationOptions.Default, replicas[(one + 1 + round) % count], ReconciliationOptions.Default);
            for (int one = count - 1; one > 0; one--)
                Synchronize(replicas[one], ReconciliationOptions.Default, replicas[one - 1], ReconciliationOptions.Default);
        }

        Assert.All(replicas, replica => Assert.Equal(replicas[0].State, replica.State));
        // Nothing comes from nowhere, and nothing that is covered by what stayed is there.
        HashSet<SignedEntry> known = [.. written];
        Assert.All(replicas[0].All, entry => Assert.Contains(known, other => other.Key == entry.Key && other.Record == entry.Record));
        Assert.DoesNotContain(replicas[0].All, entry => replicas[0].All.Any(other => other != entry && EntryRules.Covers(other, entry)));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void The_order_of_inserts_does_not_matter(int seed)
    {
        var random = new Random(seed);
        SignedEntry[] entries = [.. Enumerable.Range(0, 40).Select(_ => s_pool[random.Next(s_pool.Length)])];
        var first = new MemoryReplica(entries);
        random.Shuffle(entries);
        Assert.Equal(first.State, new MemoryReplica(entries).State);
        Assert.Equal(Expected(entries), first.State);
    }

    [Fact]
    public void A_deletion_stays_deleted_against_a_replica_that_still_has_the_old_entry()
    {
        var deleted = new MemoryReplica([TestEntries.Delete(0, "a", 10)]);
        var old = new MemoryReplica([TestEntries.Make(0, "a/x", 5), TestEntries.Make(1, "a/x", 5)]);
        Synchronize(deleted, ReconciliationOptions.Default, old, ReconciliationOptions.Default);
        Synchronize(old, ReconciliationOptions.Default, deleted, ReconciliationOptions.Default);
        Assert.Equal(deleted.State, old.State);
        Assert.Equal(2, old.Count);
        Assert.False(old.Insert(TestEntries.Make(0, "a/y", 9)));
    }

    [Fact]
    public void Equal_replicas_are_done_after_one_message()
    {
        SetReconciliation left = new(TestEntries.Document.Id, new MemoryReplica(s_pool)), right = new(TestEntries.Document.Id, new MemoryReplica(s_pool));
        Assert.Null(right.Process(left.Begin(), TestEntries.Now).Reply);
    }

    [Fact]
    public void An_entry_from_a_clock_that_is_ahead_waits_until_it_is_no_longer()
    {
        SignedEntry early = TestEntries.Make(0, "early", TestEntries.Now.Add(TimeSpan.FromMinutes(11)).Microseconds);
        var sender = new MemoryReplica([early, TestEntries.Make(0, "fine", TestEntries.Now.Add(TimeSpan.FromMinutes(9)).Microseconds)]);
        var receiver = new MemoryReplica([]);
        Synchronize(sender, ReconciliationOptions.Default, receiver, ReconciliationOptions.Default);
        Assert.Equal(1, receiver.Count);
        Synchronize(sender, ReconciliationOptions.Default, receiver, ReconciliationOptions.Default, TestEntries.Now.Add(TimeSpan.FromMinutes(1)));
        Assert.Equal(sender.State, receiver.State);
    }

    private static void Synchronize(
        MemoryReplica dialler, ReconciliationOptions diallers, MemoryReplica acceptor, ReconciliationOptions acceptors, EntryTimestamp? now = null)
    {
        SetReconciliation one = new(TestEntries.Document.Id, dialler, diallers), other = new(TestEntries.Document.Id, acceptor, acceptors);
        ReconciliationMessage? message = one.Begin();
        for (int i = 0; message is not null; i++)
        {
            Assert.True(i < MessagesMax, "the session does not end");
            ReconciliationStep step = (i % 2 == 0 ? other : one).Process(Copy(message), now ?? TestEntries.Now);
            Assert.Null(step.Fault);
            message = step.Reply;
        }
    }

    private static ReconciliationMessage Copy(ReconciliationMessage message)
    {
        Assert.True(SyncMessage.TryRead(new SyncMessage.Round(message).Encode(), out SyncMessage? read));
        return Assert.IsType<SyncMessage.Round>(read).Message;
    }

    private static IEnumerable<(RecordKey, EntryRecord)> Expected(IEnumerable<SignedEntry> entries)
    {
        SignedEntry[] all = [.. entries];
        return all
            .Where(entry => !all.Any(other => EntryRules.Covers(other, entry) && !(other.Key == entry.Key && other.Record == entry.Record)))
            .Select(entry => (entry.Key, entry.Record))
            .Distinct()
            .OrderBy(entry => entry.Key);
    }

    private static MemoryReplica RandomReplica(Random random) => new(
        Enumerable.Range(0, random.Next(4) switch { 0 => 0, 1 => 2, 2 => 30, _ => 300 }).Select(_ => s_pool[random.Next(s_pool.Length)]));

    private static SignedEntry[] MakePool()
    {
        var random = new Random(12345);
        return
        [
            .. Enumerable.Range(0, 500).Select(_ => TestEntries.Make(
                random.Next(3),
                [.. Enumerable.Range(0, random.Next(5)).Select(_ => random.Next(4) switch { 0 => (byte)0, 1 => byte.MaxValue, _ => (byte)random.Next(256) })],
                (ulong)random.Next(40),
                random.Next(5) == 0 ? "" : $"content {random.Next(3)}")),
        ];
    }
}
