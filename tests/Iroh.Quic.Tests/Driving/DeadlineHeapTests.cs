using Iroh.Cryptography;
using Iroh.Quic.Driving;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Tests.Driving;

public sealed class DeadlineHeapTests
{
    [Fact]
    public void An_empty_heap_is_due_never()
    {
        var heap = new DeadlineHeap();
        Assert.Equal(Instant.Never, heap.Earliest);
        Assert.Null(heap.TakeDue(new Instant(long.MaxValue - 1)));
    }

    [Fact]
    public void Only_an_earlier_deadline_counts()
    {
        var heap = new DeadlineHeap();
        var a = new Item();
        Assert.True(heap.Advance(a, new Instant(50)));
        Assert.False(heap.Advance(a, new Instant(60)));
        Assert.Equal(new Instant(50), heap.Earliest);
        Assert.True(heap.Advance(a, new Instant(40)));
        Assert.Equal(new Instant(40), heap.Earliest);
    }

    [Fact]
    public void The_caller_learns_whether_the_wait_must_be_shortened()
    {
        var heap = new DeadlineHeap();
        Assert.True(heap.Advance(new Item(), new Instant(50)));
        Assert.False(heap.Advance(new Item(), new Instant(70)));
        Assert.True(heap.Advance(new Item(), new Instant(10)));
    }

    [Fact]
    public void A_taken_entry_may_come_back_and_a_removed_one_may_not()
    {
        var heap = new DeadlineHeap();
        var a = new Item();
        heap.Advance(a, new Instant(5));
        Assert.Same(a, heap.TakeDue(new Instant(5)));
        Assert.True(heap.Advance(a, new Instant(9)));
        heap.Remove(a);
        Assert.False(heap.Advance(a, new Instant(1)));
        Assert.Equal(Instant.Never, heap.Earliest);
    }

    [Fact]
    public void Entries_come_out_in_order_whatever_is_advanced_and_removed()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            var random = new SeededRandomSource(seed);
            var heap = new DeadlineHeap();
            var model = new Dictionary<Item, long>();
            Item[] items = [.. Enumerable.Range(0, 40).Select(_ => new Item())];
            for (int step = 0; step < 300; step++)
            {
                Item item = items[random.NextBelow(40)];
                long deadline = (long)random.NextBelow(1000);
                if (random.NextBelow(10) == 0 && model.Remove(item))
                {
                    heap.Remove(item);
                    items[Array.IndexOf(items, item)] = new Item();
                }
                else if (random.NextBelow(5) == 0 && model.Count > 0)
                {
                    long earliest = model.Values.Min();
                    var due = heap.TakeDue(new Instant(earliest)) as Item;
                    Assert.True(due is not null && model[due] == earliest, $"seed {seed}");
                    model.Remove(due);
                }
                else
                {
                    heap.Advance(item, new Instant(deadline));
                    model[item] = model.TryGetValue(item, out long before) ? Math.Min(before, deadline) : deadline;
                }

                Instant expected = model.Count == 0 ? Instant.Never : new Instant(model.Values.Min());
                Assert.True(expected == heap.Earliest, $"seed {seed}, step {step}");
            }
        }
    }

    private sealed class Item : DeadlineHeap.Entry;
}
