using System.Diagnostics;
using Iroh.Blobs.Ranges;
using Iroh.Cryptography;

namespace Iroh.Blobs.Transfer.Planning;

/// <summary>
/// Decides which source delivers which pieces of one blob. Sources ask for work when they are idle, so each gets as much as it delivers;
/// how much at once follows from its rate. When nothing is left to give, an idle source takes over what a slower one would be late with.
/// </summary>
/// <remarks>
/// <para>If any source holds only a part, others are downloading the blob, too. Then pieces are taken in random order, those first that the
/// fewest of them hold, and a source that has everything is left to deliver what nobody else can, as long as the others are fast enough:
/// so the first node sends each piece about once, and the rest is traded. Of such a source one piece is asked for at a time: what is under
/// way to others cannot be seen, and the less it is, the less is sent twice.</para>
/// <para>Pure: no clock, no I/O; one owner, not thread-safe.</para>
/// </remarks>
internal sealed class DownloadPlan
{
    /// <summary>How long a request should take at the source's rate, in seconds: long beside any way there and back, short enough to
    /// follow a rate that changes.</summary>
    public const double RequestSeconds = 0.5;

    /// <summary>The most that is asked for at once: what is read in vain at most when the run is taken over is a window of the stream, but a
    /// source that dies holds its run until that is noticed.</summary>
    public const long RunBytesMax = 64 * 1024 * 1024;

    /// <summary>With so many runs under way no source gets a second one: the others fill the gap behind its first, and each run has a megabyte
    /// of buffers at its two ends, which processors' caches should hold. Eight nodes in one box gained a tenth.</summary>
    public const int RunsMax = 8;

    /// <summary>A piece is taken over from a source that would need this many times longer for it...</summary>
    public const double TakeOverRatio = 2;

    /// <summary>...and by this many seconds longer: below that, what is in flight is lost for nothing.</summary>
    public const double TakeOverSecondsMin = 0.2;

    /// <summary>What others who are downloading deliver is taken over by a source that has everything only if it would take this long, in
    /// seconds: otherwise the first node would send what is traded anyway.</summary>
    public const double TradeSecondsMin = 2;

    private readonly PieceState[] _pieces;
    private readonly int[] _holders;
    private readonly RandomSource _random;
    private readonly List<PlannedSource?> _sources = [];
    private readonly List<Assignment> _assignments = [];
    private int _missing;
    private int _done;

    /// <summary>A plan for a blob of which nothing is assigned.</summary>
    /// <param name="grid">How it is cut.</param>
    /// <param name="present">What is here already.</param>
    /// <param name="random">Spreads the downloaders of one blob; the plan's.</param>
    public DownloadPlan(PieceGrid grid, ChunkRanges present, RandomSource random)
    {
        (Grid, _random) = (grid, random);
        _pieces = new PieceState[grid.Count];
        _holders = new int[grid.Count];
        var whole = new bool[grid.Count];
        grid.MarkWhole(present, whole);
        for (int i = 0; i < whole.Length; i++)
        {
            if (whole[i])
                _pieces[i] = PieceState.Done;
        }

        _done = whole.Count(static done => done);
        _missing = grid.Count - _done;
    }

    private enum PieceState : byte
    {
        Missing,
        Assigned,
        Done,
    }

    /// <summary>How the blob is cut.</summary>
    public PieceGrid Grid { get; }

    /// <summary>Whether every piece is here.</summary>
    public bool IsComplete => _done == Grid.Count;

    /// <summary>Whether others are downloading the blob, too.</summary>
    private bool IsSwarm => _sources.Exists(static other => other?.Holdings is not null);

    /// <summary>Adds a source that is thought to have everything until <see cref="SetHoldings"/> says otherwise.</summary>
    /// <returns>Names it from now on.</returns>
    public int AddSource()
    {
        _sources.Add(new PlannedSource());
        return _sources.Count - 1;
    }

    /// <summary>Says what a source has.</summary>
    /// <param name="source">Which.</param>
    /// <param name="ranges">Null = everything.</param>
    public void SetHoldings(int source, ChunkRanges? ranges)
    {
        if (_sources[source] is not { } planned)
            return;
        bool[]? before = planned.Holdings;
        planned.Holdings = ranges is null ? null : new bool[Grid.Count];
        if (ranges is not null)
            Grid.MarkWhole(ranges, planned.Holdings);
        Count(before, -1);
        Count(planned.Holdings, 1);
    }

    /// <summary>Says how fast a source delivers, all its requests together.</summary>
    public void SetRate(int source, double bytesPerSecond)
    {
        if (_sources[source] is { } planned)
            planned.Rate = bytesPerSecond;
    }

    /// <summary>Forgets a source; what it was to deliver is given to others.</summary>
    public void RemoveSource(int source)
    {
        if (_sources[source] is not { } planned)
            return;
        Count(planned.Holdings, -1);
        _sources[source] = null;
        foreach (Assignment assignment in _assignments.Where(assignment => assignment.Source == source).ToArray())
            End(assignment);
    }

    /// <summary>Whether a source has a piece that is not here yet, assigned or not.</summary>
    public bool IsUseful(int source)
    {
        if (_sources[source] is not { } planned)
            return false;
        for (int i = 0; i < _pieces.Length; i++)
        {
            if (_pieces[i] != PieceState.Done && planned.Has(i))
                return true;
        }

        return false;
    }

    /// <summary>What an idle source should deliver next.</summary>
    /// <returns>Null if there is nothing for it at present; a piece that comes, a source that goes or mere time may change that.</returns>
    public Assignment? Take(int source)
    {
        if (_sources[source] is not { } planned)
            return null;
        bool onlyOne = _assignments.Count >= RunsMax || (IsSwarm && planned.Holdings is null);
        if (onlyOne && _assignments.Exists(run => run.Source == source))
            return null;
        if (_missing > 0 && FindMissing(planned) is int first and >= 0)
        {
            int end = first + 1;
            int endMax = first + RunLength(planned);
            while (end < Math.Min(endMax, Grid.Count) && _pieces[end] == PieceState.Missing && planned.Has(end) && _holders[end] == _holders[first])
                end++;
            return Assign(source, first, end);
        }

        return TakeOver(source, planned);
    }

    /// <summary>Says that a source has delivered its run up to an offset, and that it is stored.</summary>
    /// <param name="assignment">The run.</param>
    /// <param name="offset">In bytes of the blob; what is behind <see cref="Assignment.EndOffset"/> counts for nothing.</param>
    public void Advance(Assignment assignment, ulong offset)
    {
        assignment.Offset = Math.Max(assignment.Offset, offset);
        while (assignment.Next < assignment.End && Grid.EndOf(assignment.Next) <= offset)
        {
            Debug.Assert(_pieces[assignment.Next] == PieceState.Assigned, "A piece has one run.");
            _pieces[assignment.Next++] = PieceState.Done;
            _done++;
        }
    }

    /// <summary>Ends a run, whether it was delivered or not: the pieces that did not come are to be had again.</summary>
    public void End(Assignment assignment)
    {
        if (!_assignments.Remove(assignment))
            return;
        for (int i = assignment.Next; i < assignment.End; i++)
        {
            _pieces[i] = PieceState.Missing;
            _missing++;
        }

        // So that nothing that still comes is taken for a part of it.
        assignment.CutAt(assignment.Next, 0);
    }

    private Assignment Assign(int source, int first, int end)
    {
        for (int i = first; i < end; i++)
            _pieces[i] = PieceState.Assigned;
        _missing -= end - first;
        var assignment = new Assignment(source, first, end, (ulong)first * (ulong)Grid.Length, Grid.EndOf(end - 1));
        _assignments.Add(assignment);
        return assignment;
    }

    /// <summary>The missing piece with which a source should go on; -1 if there is none for it.</summary>
    private int FindMissing(PlannedSource planned)
    {
        int best = -1, equals = 0;
        bool swarm = IsSwarm;
        for (int i = 0; i < Grid.Count; i++)
        {
            if (_pieces[i] != PieceState.Missing || !planned.Has(i) || (best >= 0 && _holders[i] > _holders[best]))
                continue;
            if (best < 0 || _holders[i] < _holders[best])
                (best, equals) = (i, 0);
            equals++;
            if (!swarm)
                break;
        }

        // Any of them alike: were it the first behind a random place, all would meet at the beginning of the same gap.
        for (int skip = equals > 1 ? (int)_random.NextBelow((ulong)equals) : 0, i = best; skip > 0; skip--)
        {
            do
                i++;
            while (_pieces[i] != PieceState.Missing || !planned.Has(i) || _holders[i] != _holders[best]);
            if (skip == 1)
                best = i;
        }

        return best >= 0 && planned.Holdings is null && _holders[best] > 0 && OthersSuffice(planned) ? -1 : best;
    }

    /// <summary>Whether those that hold a part are left to deliver it: they are about as fast as this source, or their rate is not known yet.</summary>
    private bool OthersSuffice(PlannedSource planned)
    {
        double rate = 0;
        foreach (PlannedSource? other in _sources)
        {
            if (other?.Holdings is null)
                continue;
            if (other.Rate is null)
                return true;
            rate += other.Rate.Value;
        }

        return planned.Rate is null || rate >= planned.Rate / 2;
    }

    /// <summary>How many pieces a source should deliver at once.</summary>
    private int RunLength(PlannedSource planned)
    {
        if (planned.Rate is not { } rate)
            return 1;
        int sources = 0;
        double all = 0;
        foreach (PlannedSource? other in _sources)
        {
            if (other is null)
                continue;
            sources++;
            all += other.Rate ?? rate;
        }

        double wanted = Math.Ceiling(rate * RequestSeconds / Grid.Length);

        // Half of its share: towards the end the runs become short, and all sources end together.
        double share = sources < 2 || all <= 0 ? _missing : _missing * rate / all / 2;
        double most = !IsSwarm ? Math.Max(1, RunBytesMax / Grid.Length) : planned.Holdings is null ? 1 : Math.Max(1, Grid.Count / 128);
        return (int)Math.Max(1, Math.Min(most, Math.Min(wanted, share)));
    }

    private Assignment? TakeOver(int source, PlannedSource planned)
    {
        Assignment? latest = null;
        double secondsMax = IsSwarm && planned.Holdings is null ? TradeSecondsMin : TakeOverSecondsMin;
        foreach (Assignment assignment in _assignments)
        {
            if (assignment.Source == source || assignment.Next >= assignment.End)
                continue;
            double remaining = assignment.EndOffset - Math.Max(assignment.Offset, (ulong)assignment.Next * (ulong)Grid.Length);
            double seconds = remaining / RateOf(_sources[assignment.Source]!, planned);
            if (seconds > secondsMax && FirstToTakeOver(assignment, planned, seconds) >= 0)
                (latest, secondsMax) = (assignment, seconds);
        }

        if (latest is null)
            return null;
        int end = latest.End;
        int first = FirstToTakeOver(latest, planned, secondsMax);
        for (int i = first; i < end; i++)
        {
            _pieces[i] = PieceState.Missing;
            _missing++;
        }

        latest.CutAt(first, (ulong)first * (ulong)Grid.Length);
        int stop = first + 1;
        while (stop < end && planned.Has(stop))
            stop++;
        return Assign(source, first, stop);
    }

    /// <summary>From which piece on a run is taken over, in proportion to the rates; -1 if that is no use.</summary>
    private int FirstToTakeOver(Assignment run, PlannedSource thief, double victimSeconds)
    {
        double victimRate = RateOf(_sources[run.Source]!, thief);
        double thiefRate = thief.Rate ?? victimRate;
        int untouched = run.End - run.Next - 1;
        if (untouched > 0)
        {
            int taken = Math.Clamp((int)Math.Round(untouched * thiefRate / (thiefRate + victimRate)), 1, untouched);
            for (int first = run.End - taken; first < run.End; first++)
            {
                if (thief.Has(first))
                    return first;
            }

            return -1;
        }

        // Its last piece, in the middle of it.
        double thiefSeconds = victimSeconds * victimRate / thiefRate;
        return thief.Has(run.Next) && victimSeconds > (TakeOverRatio * thiefSeconds) + TakeOverSecondsMin ? run.Next : -1;
    }

    private static double RateOf(PlannedSource source, PlannedSource unknown) => Math.Max(source.Rate ?? unknown.Rate ?? 1024 * 1024, 1);

    private void Count(bool[]? holdings, int by)
    {
        for (int i = 0; holdings is not null && i < holdings.Length; i++)
        {
            if (holdings[i])
                _holders[i] += by;
        }
    }

    /// <summary>What the plan knows of a source.</summary>
    private sealed class PlannedSource
    {
        /// <summary>An element for each piece; null if it has all.</summary>
        public bool[]? Holdings { get; set; }

        /// <summary>Bytes a second; null as long as it has not delivered.</summary>
        public double? Rate { get; set; }

        public bool Has(int piece) => Holdings is null || Holdings[piece];
    }
}
