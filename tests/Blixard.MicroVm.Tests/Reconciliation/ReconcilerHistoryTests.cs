using Blixard.MicroVm.Model;
using Blixard.MicroVm.Reconciliation;
using Iroh.Cryptography;

namespace Blixard.MicroVm.Tests.Reconciliation;

/// <summary>
/// Random histories of wishes, starts that fail, guests that end, nodes that are killed and clocks that jump, over a model of the world
/// that carries plans out as the host does.
/// </summary>
public sealed class ReconcilerHistoryTests
{
    private const int StartsMax = 2;

    [Fact]
    public void No_history_starts_a_VM_twice_and_all_converge()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var world = new World(seed);
            for (int step = 0; step < 120; step++)
                world.Step();
            world.Settle();
        }
    }

    private sealed class World(ulong seed)
    {
        private static readonly string[] Names = ["a", "b", "c", "d"];
        private readonly SeededRandomSource _random = new(seed);
        private readonly Dictionary<string, DesiredVm> _desired = [];
        private readonly Dictionary<string, ObservedVm> _observed = [];
        private readonly Dictionary<string, int> _processes = [];
        private DateTimeOffset _now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
        private long _epoch;

        public void Step()
        {
            string name = Names[_random.NextBelow(4)];
            switch (_random.NextBelow(9))
            {
                case 0:
                    Wish(name, running: true);
                    break;
                case 1:
                    Wish(name, running: false);
                    break;
                case 2:
                    _desired.Remove(name);
                    break;
                case 3:
                    _now += TimeSpan.FromSeconds((double)_random.NextBelow(200) - 60);
                    break;
                case 4:
                    KillNode();
                    break;
                case 5:
                    End(name, (VmExitKind)_random.NextBelow(4));
                    break;
                default:
                    Progress(name, startFails: _random.NextBelow(3) == 0);
                    break;
            }

            CarryOut();
        }

        public void Settle()
        {
            for (int round = 0; round < 50; round++)
            {
                foreach (string name in Names)
                    Progress(name, startFails: false);
                if (CarryOut() is { } at)
                    _now = at > _now ? at : _now;
            }

            foreach (string name in Names)
            {
                ObservedVm? vm = _observed.GetValueOrDefault(name);
                if (!_desired.TryGetValue(name, out DesiredVm? wish))
                    Require(vm is null && !_processes.ContainsKey(name), $"{name} is unwanted and still here: {vm}");
                else if (!wish.Running)
                    Require(vm is null or { Phase: VmPhase.Idle }, $"{name} is wanted stopped: {vm}");
                else if (wish.Spec.RestartPolicy == RestartPolicy.Always)
                    Require(vm is { Phase: VmPhase.Running } && vm.Epoch == wish.Epoch, $"{name} is wanted running: {vm}");
                else
                    Require(vm is { Phase: VmPhase.Running } or { Phase: VmPhase.Idle, Exit: not null }, $"{name} hangs: {vm}");
            }
        }

        private void Wish(string name, bool running)
        {
            long generation = _desired.GetValueOrDefault(name)?.Generation ?? 0;
            _desired[name] = new DesiredVm(
                new VmSpec { Name = name, KernelPath = "/k", RestartPolicy = (RestartPolicy)_random.NextBelow(3) },
                running,
                _epoch += (long)_random.NextBelow(2),
                generation + (long)_random.NextBelow(2));
        }

        private DateTimeOffset? CarryOut()
        {
            ReconcilePlan plan = Reconciler.Plan(_desired, _observed, StartsMax, _now);
            foreach (VmAction action in plan.Actions)
            {
                ObservedVm? vm = _observed.GetValueOrDefault(action.Name);
                if (action.Kind == VmActionKind.Start)
                {
                    Require(vm is null or { Phase: VmPhase.Idle } && !_processes.ContainsKey(action.Name), $"{action} while {vm}");
                    DesiredVm wish = _desired[action.Name];
                    _observed[action.Name] = (vm ?? new ObservedVm { Name = action.Name, Phase = VmPhase.Idle }) with
                    {
                        Phase = VmPhase.Starting,
                        Epoch = wish.Epoch,
                        Generation = wish.Generation,
                        Exit = null,
                        EndedAt = null,
                    };
                }
                else
                {
                    _observed[action.Name] = vm! with { Phase = action.Kind == VmActionKind.Stop ? VmPhase.Stopping : VmPhase.Removing };
                }
            }

            Require(_observed.Values.Count(static vm => vm.Phase == VmPhase.Starting) <= StartsMax, "too many start at once");
            // Stopping a VM that was starting makes room for another start; nothing is done to the same VM twice.
            ReconcilePlan again = Reconciler.Plan(_desired, _observed, StartsMax, _now);
            Require(
                !again.Actions.Any(action => plan.Actions.Any(done => done.Name == action.Name)),
                $"the plan is not done after it was carried out: {string.Join(", ", again.Actions)}");
            return plan.LookAgainAt;
        }

        private void Progress(string name, bool startFails)
        {
            if (!_observed.TryGetValue(name, out ObservedVm? vm))
                return;
            switch (vm.Phase)
            {
                case VmPhase.Starting when startFails:
                    Down(vm, VmExitKind.StartFailed);
                    break;
                case VmPhase.Starting:
                    _processes[name] = _processes.GetValueOrDefault(name) + 1;
                    Require(_processes[name] == 1, $"{name} runs twice");
                    _observed[name] = vm with { Phase = VmPhase.Running };
                    break;
                case VmPhase.Stopping:
                    Down(vm, VmExitKind.Stopped);
                    break;
                case VmPhase.Removing:
                    _processes.Remove(name);
                    _observed.Remove(name);
                    break;
            }
        }

        private void End(string name, VmExitKind kind)
        {
            if (_observed.TryGetValue(name, out ObservedVm? vm) && vm.Phase == VmPhase.Running)
                Down(vm, kind);
        }

        private void Down(ObservedVm vm, VmExitKind kind)
        {
            _processes.Remove(vm.Name);
            _observed[vm.Name] = vm with { Phase = VmPhase.Idle, Exit = new VmExit(kind, ""), EndedAt = _now, Ends = RestartBackoff.Count(vm.Ends, TimeSpan.Zero) };
        }

        private void KillNode()
        {
            foreach (ObservedVm vm in _observed.Values.ToArray())
            {
                _observed[vm.Name] = vm.Phase switch
                {
                    _ when _processes.ContainsKey(vm.Name) => vm with { Phase = VmPhase.Running },
                    VmPhase.Starting => vm with { Phase = VmPhase.Idle, Generation = null },
                    _ => vm with { Phase = VmPhase.Idle },
                };
            }
        }

        private void Require(bool holds, string otherwise) => Assert.True(holds, $"seed {seed}: {otherwise}");
    }
}
