using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Transfer.Planning;
using Iroh.Cryptography;

namespace Iroh.Blobs.Tests.Transfer.Planning;

/// <summary>Who delivers which pieces, played with sources that have a rate and a clock that is a number.</summary>
public sealed class DownloadPlanTests
{
    private const double Step = 0.01;

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL)]
    [InlineData(65536UL)]
    [InlineData(65537UL)]
    [InlineData(1UL << 30)]
    [InlineData((1UL << 43) + 1)]
    [InlineData(BaoTree.SizeMax)]
    public void Any_size_is_cut_into_few_pieces_that_cover_it(ulong size)
    {
        var grid = new PieceGrid(size);
        Assert.InRange(grid.Count, 1, PieceGrid.PiecesMax);
        Assert.Equal(size, grid.EndOf(grid.Count - 1));
        Assert.Equal(0, grid.Length % BaoTree.GroupLength);
        ChunkRanges all = grid.RangesOf(0, grid.Count);
        Assert.Equal(ChunkRanges.FromChunks(0, BaoTree.ChunkCount(size)), all);
        var whole = new bool[grid.Count];
        grid.MarkWhole(all, whole);
        Assert.DoesNotContain(false, whole);
        grid.MarkWhole(ChunkRanges.FromChunks(1, ulong.MaxValue), whole);
        Assert.False(whole[0]);
        Assert.Equal(grid.Count - 1, whole.Count(static piece => piece));
    }

    [Fact]
    public void Sources_of_different_speed_end_together_and_no_byte_comes_twice()
    {
        var world = new World(256L << 20, [20e6, 50e6, 130e6]);
        double seconds = world.Play();
        Assert.InRange(seconds, 1.3, 1.9); // 1.34 s is what they can do together.
        Assert.InRange(world.DeliveredBytes, 256L << 20, (256L << 20) + (8L << 20));
    }

    [Fact]
    public void What_a_dead_source_leaves_is_taken_over_before_anybody_notices_that_it_is_dead()
    {
        var world = new World(256L << 20, [50e6, 50e6, 50e6, 50e6]);
        double seconds = world.Play(time => world.Rates[2] = time > 0.7 ? 0 : 50e6);
        Assert.InRange(seconds, 1.5, 4);
    }

    [Fact]
    public void With_many_runs_under_way_only_a_source_without_one_gets_another()
    {
        var plan = new DownloadPlan(new PieceGrid(256 << 20), ChunkRanges.Empty, new SeededRandomSource(1));
        int[] sources = [.. Enumerable.Range(0, DownloadPlan.RunsMax).Select(_ => plan.AddSource())];
        Assignment?[] runs = [.. sources.Select(plan.Take)];
        Assert.DoesNotContain(null, runs);
        Assert.Null(plan.Take(sources[0]));
        plan.End(runs[3]!);
        Assert.NotNull(plan.Take(sources[0]));
        Assert.Null(plan.Take(sources[1]));
        Assert.NotNull(plan.Take(sources[3]));
    }

    [Fact]
    public void A_slow_source_does_not_hold_up_the_end()
    {
        var world = new World(64L << 20, [100e6, 0.05e6]);
        Assert.InRange(world.Play(), 0.6, 1.5);
    }

    [Fact]
    public void What_is_here_is_not_asked_for_again()
    {
        var grid = new PieceGrid(64 << 20);
        var plan = new DownloadPlan(grid, grid.RangesOf(0, 100), new SeededRandomSource(1));
        int source = plan.AddSource();
        Assert.Equal(100, plan.Take(source)!.First);
    }

    [Fact]
    public void A_source_is_asked_only_for_what_it_has()
    {
        var grid = new PieceGrid(64 << 20);
        var plan = new DownloadPlan(grid, ChunkRanges.Empty, new SeededRandomSource(1));
        int source = plan.AddSource();
        plan.SetHoldings(source, grid.RangesOf(7, 2));
        int[] given = [plan.Take(source)!.First, plan.Take(source)!.First];
        Assert.Equal([7, 8], given.Order());
        Assert.Null(plan.Take(source));
        Assert.True(plan.IsUseful(source));
        plan.SetHoldings(source, grid.RangesOf(7, 3));
        Assert.Equal(9, plan.Take(source)!.First);
    }

    [Fact]
    public void The_pieces_of_a_source_that_goes_are_given_to_others()
    {
        var grid = new PieceGrid(128 * 1024);
        var plan = new DownloadPlan(grid, ChunkRanges.Empty, new SeededRandomSource(1));
        int first = plan.AddSource(), second = plan.AddSource();
        Assignment lost = plan.Take(first)!;
        plan.Advance(plan.Take(second)!, grid.Size);
        plan.RemoveSource(first);

        // What still comes of it counts for nothing.
        plan.Advance(lost, grid.Size);
        Assert.False(plan.IsComplete);
        Assignment again = plan.Take(second)!;
        Assert.Equal(lost.First, again.First);
        plan.Advance(again, again.EndOffset);
        Assert.True(plan.IsComplete);
    }

    [Fact]
    public void Eight_who_trade_take_little_more_than_one_copy_from_the_first()
    {
        foreach (ulong seed in new ulong[] { 1, 2, 3, 4, 5 })
        {
            double copies = new Swarm(8, seed).Play();
            Assert.True(copies <= 1.5, $"seed {seed}: the first sent {copies:0.00} copies");
        }
    }

    /// <summary>One download from sources with rates.</summary>
    private sealed class World
    {
        private readonly DownloadPlan _plan;
        private readonly Assignment?[] _assignments;
        private readonly double[] _positions;
        private readonly RateMeter[] _meters;

        public World(long size, double[] rates)
        {
            Rates = rates;
            _plan = new DownloadPlan(new PieceGrid((ulong)size), ChunkRanges.Empty, new SeededRandomSource(7));
            _assignments = new Assignment?[rates.Length];
            _positions = new double[rates.Length];
            _meters = [.. rates.Select(static _ => new RateMeter())];
            foreach (double _ in rates)
                _plan.AddSource();
        }

        public double[] Rates { get; }

        public long DeliveredBytes { get; private set; }

        public double Play(Action<double>? change = null)
        {
            double time = 0;
            for (; !_plan.IsComplete && time < 100; time += Step)
            {
                change?.Invoke(time);
                for (int i = 0; i < Rates.Length; i++)
                    Move(i, time);
            }

            return time;
        }

        private void Move(int i, double time)
        {
            for (int other = 0; other < Rates.Length; other++)
            {
                if (_meters[other].Rate(time) is { } rate)
                    _plan.SetRate(other, rate);
            }

            if (_assignments[i] is null)
            {
                if ((_assignments[i] = _plan.Take(i)) is not { } taken)
                    return;
                _positions[i] = taken.Offset;
                _meters[i].OnRequest(time);
            }

            Assignment current = _assignments[i]!;
            double step = Math.Max(0, Math.Min(Rates[i] * Step, current.EndOffset - _positions[i]));
            _positions[i] += step;
            DeliveredBytes += (long)step;
            double now = time + (Rates[i] > 0 ? step / Rates[i] : Step);
            _meters[i].OnReceived(now, (int)step);
            _plan.Advance(current, (ulong)_positions[i]);
            if (_positions[i] < current.EndOffset)
                return;
            _plan.End(current);
            _meters[i].OnEnd(now);
            _assignments[i] = null;
        }
    }

    /// <summary>One who has everything, and several who want it and tell each other, late, what they have.</summary>
    private sealed class Swarm
    {
        private const double Rate = 10e6;
        private const double TellSeconds = 0.1;

        private readonly PieceGrid _grid = new(256L << 20);
        private readonly DownloadPlan[] _plans;
        private readonly ChunkRanges[] _here;
        private readonly Assignment?[,] _assignments;
        private readonly double[,] _positions;
        private long _firstSent;

        public Swarm(int count, ulong seed)
        {
            _plans = [.. Enumerable.Range(0, count).Select(i => new DownloadPlan(_grid, ChunkRanges.Empty, new SeededRandomSource((seed * 100) + (ulong)i)))];
            _here = [.. Enumerable.Repeat(ChunkRanges.Empty, count)];
            _assignments = new Assignment?[count, count + 1];
            _positions = new double[count, count + 1];
            foreach (DownloadPlan plan in _plans)
            {
                for (int source = 0; source <= count; source++)
                {
                    plan.AddSource();
                    plan.SetRate(source, Rate);
                }
            }
        }

        /// <summary>Copies that the first sent until all have everything.</summary>
        public double Play()
        {
            int tellEvery = (int)(TellSeconds / Step);
            for (int step = 0; step < 100_000 && !_plans.All(static plan => plan.IsComplete); step++)
            {
                for (int i = 0; i < _plans.Length; i++)
                {
                    if (step % tellEvery == 0)
                        Tell(i);
                    for (int source = 0; source <= _plans.Length; source++)
                    {
                        if (source != i)
                            Move(i, source);
                    }
                }
            }

            Assert.True(_plans.All(static plan => plan.IsComplete), "somebody waits for ever");
            return (double)_firstSent / _grid.Size;
        }

        private void Tell(int i)
        {
            for (int other = 0; other < _plans.Length; other++)
            {
                if (other != i)
                    _plans[i].SetHoldings(other, _plans[other].IsComplete ? null : _here[other]);
            }
        }

        // The first is the source behind all downloaders. Everybody's line is shared by the eight whom they send to.
        private void Move(int i, int source)
        {
            if (_assignments[i, source] is null)
            {
                if ((_assignments[i, source] = _plans[i].Take(source)) is not { } taken)
                    return;
                _positions[i, source] = taken.Offset;
            }

            Assignment current = _assignments[i, source]!;
            double bytes = Math.Max(0, Math.Min(Rate / _plans.Length * Step, current.EndOffset - _positions[i, source]));
            _positions[i, source] += bytes;
            if (source == _plans.Length)
                _firstSent += (long)bytes;
            int before = current.Next;
            _plans[i].Advance(current, (ulong)_positions[i, source]);
            if (current.Next > before)
                _here[i] = _here[i].Union(_grid.RangesOf(before, current.Next - before));
            if (_positions[i, source] < current.EndOffset)
                return;
            _plans[i].End(current);
            _assignments[i, source] = null;
        }
    }
}
