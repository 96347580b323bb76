using Blixard.Cluster.Liveness;
using Blixard.Cluster.Placement;
using Blixard.V1;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Liveness;

/// <summary>
/// Nodes with clocks of their own, a store with leases, messages that are late or lost, processes that stand still or die, guards, and VMs
/// as entries of a list. The decisions are those of the product: <see cref="FencingClock"/> and <see cref="FailoverPlanner"/>. One seed, one history.
/// </summary>
internal sealed class SimulatedFleet
{
    private const double GuardInterval = 0.25;
    private const double KillTimeMax = 0.1;

    private readonly SeededRandomSource _random;
    private readonly LeaseTimes _times;
    private readonly double _storeRate;
    private readonly PriorityQueue<Action, (double, long)> _events = new();
    private readonly Dictionary<long, double> _leases = [];
    private readonly List<SimulatedNode> _nodes = [];
    private readonly Dictionary<string, (string Owner, ulong Epoch)> _intents = [];
    private long _sequence;
    private long _lastLease;
    private bool _isCalm;

    public SimulatedFleet(ulong seed, LeaseTimes times, double drift)
    {
        _random = new SeededRandomSource(seed);
        _times = times;
        _storeRate = 1 + (drift * Draw());
        for (int i = 0; i < 3; i++)
        {
            var node = new SimulatedNode($"n{i}", 1 - (drift * Draw()), 1000 * Draw(), times);
            _nodes.Add(node);
            At(Draw(), () => Renew(node));
            At(Draw() * GuardInterval, () => Guard(node));
            At(Draw(), () => Look(node));
        }

        for (int i = 0; i < 4; i++)
            _intents[$"vm{i}"] = ("n0", 1);
        At(1, Control);
        At(2, Trouble);
    }

    /// <summary>The true time in seconds.</summary>
    public double Now { get; private set; }

    /// <summary>The first moment at which a VM ran twice; null if none did.</summary>
    public string? Violation { get; private set; }

    public int Moves { get; private set; }

    public int Fenced { get; private set; }

    /// <summary>Whether each VM runs once, on its owner.</summary>
    public bool IsWell => _intents.All(vm => _nodes.Sum(node => node.Running.Count(entry => entry.Key == vm.Key)) == 1
        && _nodes.Single(node => node.Name == vm.Value.Owner).Running.ContainsKey(vm.Key));

    /// <summary>Lets time pass; <paramref name="calm"/> without new trouble.</summary>
    public void Run(double seconds, bool calm)
    {
        _isCalm = calm;
        if (calm)
        {
            foreach (SimulatedNode node in _nodes)
                (node.IsCut, node.StandsStillUntil, node.IsDead) = (false, 0, false);
        }

        double end = Now + seconds;
        while (Violation is null && _events.TryPeek(out _, out (double Time, long) next) && next.Time <= end)
        {
            Action action = _events.Dequeue();
            Now = next.Time;
            action();
        }

        Now = end;
    }

    private double Draw()
    {
        Span<byte> bytes = stackalloc byte[4];
        _random.Fill(bytes);
        return BitConverter.ToUInt32(bytes) / (double)uint.MaxValue;
    }

    private void At(double inSeconds, Action action) => _events.Enqueue(action, (Now + inSeconds, _sequence++));

    /// <summary>A request that reaches the store, whose answer reaches the node's process if that still is the same and goes on.</summary>
    private void Ask<T>(SimulatedNode node, Func<T> atStore, Action<T> answer)
    {
        int life = node.Life;
        if (node.IsCut)
            return;
        // Some requests arrive long after they were given up.
        At(Draw() < 0.05 ? Draw() * 8 : Draw() * 0.2, () =>
        {
            T result = atStore();
            if (!node.IsCut)
                At(Draw() < 0.05 ? Draw() * 5 : Draw() * 0.2, () => WhenAwake(node, life, () => answer(result)));
        });
    }

    private void WhenAwake(SimulatedNode node, int life, Action action)
    {
        if (node.Life != life || node.IsDead)
            return;
        if (node.StandsStillUntil > Now)
            At(node.StandsStillUntil - Now, () => WhenAwake(node, life, action));
        else
            action();
    }

    private bool IsAlive(SimulatedNode node) => node.AliveLease != 0 && _leases.TryGetValue(node.AliveLease, out double end) && end > Now * _storeRate;

    private void Renew(SimulatedNode node)
    {
        At(0.3, () => Renew(node));
        if (node.IsDead || node.StandsStillUntil > Now || node.Clock(Now) < node.RenewAt)
            return;
        TimeSpan sentAt = node.Clock(Now);
        node.RenewAt = sentAt + _times.RenewalInterval;
        if (node.Lease == 0)
        {
            // An attempt that was given up for another one goes no further, but what it has sent may still arrive.
            int attempt = ++node.Attempt;
            Step(Grant, lease => Step(() => node.AliveVersion, version => Step(() => TryPutAlive(node, lease, version), put =>
            {
                if (!put)
                    return;
                node.Lease = lease;
                if (!node.Fencing.TryContinue(lease, sentAt, _times, node.Clock(Now)))
                {
                    node.File = node.Fencing.Interrupt();
                    node.Running.Clear();
                    node.Fencing.Open(lease, sentAt, _times);
                }

                node.File = node.Fencing.Term;
            })));
            return;

            void Step<T>(Func<T> atStore, Action<T> answer) => Ask(node, atStore, result =>
            {
                if (node.Attempt == attempt)
                    answer(result);
            });
        }

        long kept = node.Lease;
        Ask(node, () => Keep(kept), isThere =>
        {
            if (node.Lease != kept)
                return;
            if (isThere)
            {
                node.Fencing.Renew(kept, sentAt, _times);
            }
            else
            {
                node.Fencing.Lose();
                node.Lease = 0;
            }

            node.File = node.Fencing.Term;
        });
    }

    private long Grant()
    {
        _leases[++_lastLease] = (Now * _storeRate) + _times.TimeToLive.TotalSeconds;
        return _lastLease;
    }

    private bool Keep(long lease)
    {
        if (!_leases.TryGetValue(lease, out double end) || end <= Now * _storeRate)
            return false;
        _leases[lease] = (Now * _storeRate) + _times.TimeToLive.TotalSeconds;
        return true;
    }

    private bool TryPutAlive(SimulatedNode node, long lease, long version)
    {
        if (node.AliveVersion != version || !_leases.TryGetValue(lease, out double end) || end <= Now * _storeRate)
            return false;
        (node.AliveLease, node.AliveVersion) = (lease, version + 1);
        return true;
    }

    /// <summary>The guard: ends everything after the deadline, whatever the node's process does.</summary>
    private void Guard(SimulatedNode node)
    {
        At(GuardInterval / node.Rate, () => Guard(node));
        if (node.Clock(Now) < node.File.Deadline)
            return;
        string[] doomed = [.. node.Running.Keys];
        Fenced += doomed.Length;
        At(Draw() * KillTimeMax, () =>
        {
            foreach (string vm in doomed)
                node.Running.Remove(vm);
        });
    }

    /// <summary>The node's process: stops what may not run, and starts what its watch, which is late, says it owns.</summary>
    private void Look(SimulatedNode node)
    {
        At(0.1, () => Look(node));
        if (!node.IsCut && Draw() < 0.3)
            node.Seen = new Dictionary<string, (string, ulong)>(_intents);
        if (node.IsDead || node.StandsStillUntil > Now)
            return;
        if (!node.Fencing.MayRun(node.Clock(Now)))
        {
            node.Running.Clear();
            return;
        }

        foreach (string gone in node.Running.Keys.Where(vm => node.Seen.TryGetValue(vm, out (string Owner, ulong Epoch) seen) && (seen.Owner != node.Name || seen.Epoch != node.Running[vm])).ToArray())
            node.Running.Remove(gone);
        foreach ((string vm, (string owner, ulong epoch)) in node.Seen)
        {
            if (owner != node.Name || node.Running.ContainsKey(vm) || Draw() < 0.5)
                continue;
            long generation = node.Fencing.Term.Generation;
            Ask(node, () => _intents[vm] == (owner, epoch), isOwner =>
            {
                // The launching process goes its own way: it may be slow, and the node may die meanwhile.
                if (isOwner)
                    At(Draw(), () => Launch(node, vm, epoch, generation));
            });
        }
    }

    private void Launch(SimulatedNode node, string vm, ulong epoch, long generation)
    {
        if (node.File.Generation != generation || node.Clock(Now) >= node.File.Deadline || node.Running.ContainsKey(vm))
            return;
        node.Running[vm] = epoch;
        SimulatedNode[] hosts = [.. _nodes.Where(host => host.Running.ContainsKey(vm))];
        if (hosts.Length > 1)
            Violation ??= $"at {Now:0.00} s {vm} runs on {string.Join(" and ", hosts.Select(host => host.Name))}";
    }

    /// <summary>A controller, or two: what one has looked at may be out of date when its transaction comes.</summary>
    private void Control()
    {
        At(Draw() * 0.5, Control);
        FailoverNode[] nodes = [.. _nodes.Select(node => new FailoverNode(
            new PlacementNode(node.Name, IsAlive(node), 100, 100_000, 0, 0, new Dictionary<string, string>()),
            IsAlive(node) ? null : DateTimeOffset.UnixEpoch))];
        FailoverVm[] vms = [.. _intents.Select(vm => new FailoverVm(
            new VmSpec { Name = vm.Key, Vcpus = 1, MemoryMib = 1, OnNodeLoss = NodeLossPolicy.Elsewhere, Desired = DesiredState.Running }, vm.Value.Owner, VmState.Running))];
        foreach (FailoverDecision decision in FailoverPlanner.Plan(nodes, vms).Where(decision => decision.To is not null))
        {
            (string Owner, ulong Epoch) looked = _intents[decision.Vm];
            At(Draw() * 2, () =>
            {
                bool holds = _intents[decision.Vm] == looked && !IsAlive(Named(decision.From)) && IsAlive(Named(decision.To!));
                if (!holds)
                    return;
                _intents[decision.Vm] = (decision.To!, looked.Epoch + 1);
                Moves++;
            });
        }
    }

    private SimulatedNode Named(string name) => _nodes.Single(node => node.Name == name);

    private void Trouble()
    {
        At(Draw() * 6, Trouble);
        SimulatedNode node = _nodes[(int)(Draw() * 2.999)];
        double length = Draw() * 3 * _times.TimeToLive.TotalSeconds;
        if (_isCalm)
            return;
        switch ((int)(Draw() * 3))
        {
            case 0:
                node.IsCut = true;
                At(length, () => node.IsCut = false);
                break;
            case 1:
                node.StandsStillUntil = Now + length;
                break;
            default:
                node.Kill();
                At(length, node.Restart);
                break;
        }
    }
}

/// <summary>A machine of the fleet.</summary>
internal sealed class SimulatedNode
{
    private readonly double _offset;
    private readonly LeaseTimes _times;

    public SimulatedNode(string name, double rate, double offset, LeaseTimes times)
    {
        (Name, Rate, _offset, _times) = (name, rate, offset, times);
        Fencing = new FencingClock(null, times);
    }

    public string Name { get; }

    public double Rate { get; }

    /// <summary>The guard's file, which outlives the process.</summary>
    public FencingTerm File { get; set; }

    public FencingClock Fencing { get; private set; }

    /// <summary>VMs with their epochs; they outlive the process.</summary>
    public Dictionary<string, ulong> Running { get; } = [];

    public Dictionary<string, (string Owner, ulong Epoch)> Seen { get; set; } = [];

    public long Lease { get; set; }

    public TimeSpan RenewAt { get; set; }

    public int Attempt { get; set; }

    public int Life { get; private set; }

    public bool IsDead { get; set; }

    public bool IsCut { get; set; }

    public double StandsStillUntil { get; set; }

    /// <summary>In the store: the lease on which the alive key hangs, 0 = never put, and how often it was written.</summary>
    public long AliveLease { get; set; }

    public long AliveVersion { get; set; }

    public TimeSpan Clock(double now) => TimeSpan.FromSeconds((now * Rate) + _offset);

    public void Kill()
    {
        IsDead = true;
        Life++;
        Restart(isDead: true);
    }

    public void Restart() => Restart(isDead: false);

    private void Restart(bool isDead) =>
        (IsDead, Lease, RenewAt, Fencing) = (isDead, 0, TimeSpan.Zero, new FencingClock(File == default ? null : File, _times));
}
