using Blixard.Testing.Linearizability;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Linearizability;

/// <summary>Makes histories from a seed.</summary>
internal static class RandomHistory
{
    /// <summary>A history of one register used by clients at the same time: each operation takes effect at a moment between its
    /// call and its answer. Some are never answered; of those, some never happen and some happen long after.</summary>
    public static List<RegisterOperation> Create(ulong seed, int clients, int operations)
    {
        var random = new SeededRandomSource(seed);
        var history = new List<RegisterOperation>();
        var underWay = new List<UnderWay>();
        string? value = null;
        for (long now = 0; history.Count < operations || underWay.Exists(operation => operation.IsAwaited); now++)
        {
            var idle = Enumerable.Range(0, clients).Where(client => !underWay.Exists(operation => operation.IsAwaited && operation.Client == client)).ToList();
            UnderWay? chosen = underWay.Count == 0 ? null : underWay[(int)random.NextBelow((ulong)underWay.Count)];
            if (history.Count < operations && idle.Count > 0 && random.NextBelow(3) == 0)
            {
                int client = idle[(int)random.NextBelow((ulong)idle.Count)];
                history.Add(new RegisterOperation(client, "k", Draw(random, $"{history.Count}", value), null, now, long.MaxValue));
                underWay.Add(new UnderWay(client, history.Count - 1));
            }
            else if (chosen is { Answer: null })
            {
                (chosen.Answer, value) = Apply(value, history[chosen.Index].Call);
            }
            else if (chosen is { IsAwaited: true, Answer: { } answer } && random.NextBelow(20) > 0)
            {
                history[chosen.Index] = history[chosen.Index] with { Answer = answer, Ended = now };
                underWay.Remove(chosen);
            }

            // A client that waits no longer.
            if (chosen is not null && random.NextBelow(60) == 0)
                chosen.IsAwaited = false;
        }

        return history;
    }

    /// <summary>A few operations on one register with answers that may make sense or not.</summary>
    public static List<RegisterOperation> CreateArbitrary(ulong seed, int operations)
    {
        var random = new SeededRandomSource(seed);
        var moments = Enumerable.Range(0, operations * 2).Select(number => (long)number).ToList();
        var history = new List<RegisterOperation>();
        for (int i = 0; i < operations; i++)
        {
            (long first, long second) = (TakeOne(), TakeOne());
            RegisterCall call = random.NextBelow(6) switch
            {
                < 2 => new RegisterCall.Read(),
                2 => new RegisterCall.Write(Value()!),
                < 5 => new RegisterCall.Swap(Value(), Value() ?? "a"),
                _ => new RegisterCall.Delete(),
            };
            RegisterAnswer? answer = call switch
            {
                _ when random.NextBelow(4) == 0 => null,
                RegisterCall.Read => RegisterAnswer.Of(random.NextBelow(4) == 0 ? null : Value()),
                RegisterCall.Swap => new RegisterAnswer(random.NextBelow(2) == 0),
                _ => RegisterAnswer.Done,
            };
            history.Add(new RegisterOperation(i, "k", call, answer, Math.Min(first, second), answer is null ? long.MaxValue : Math.Max(first, second)));
        }

        return history;

        string? Value() => random.NextBelow(2) == 0 ? "a" : "b";

        long TakeOne()
        {
            int index = (int)random.NextBelow((ulong)moments.Count);
            long moment = moments[index];
            moments.RemoveAt(index);
            return moment;
        }
    }

    /// <summary>Tries every order, without any thought.</summary>
    public static bool IsExplainedBySomeOrder(IReadOnlyList<RegisterOperation> left, string? value)
    {
        if (left.All(operation => operation.Answer is null))
            return true;
        return left.Any(next =>
        {
            if (left.Any(other => other.Ended < next.Begun))
                return false;
            (RegisterAnswer answer, string? after) = Apply(value, next.Call);
            return (next.Answer is null || next.Answer == answer) && IsExplainedBySomeOrder([.. left.Where(other => other != next)], after);
        });
    }

    // Written out a second time, so that the checker's own model is not its judge.
    private static (RegisterAnswer Answer, string? After) Apply(string? value, RegisterCall call)
    {
        switch (call)
        {
            case RegisterCall.Write write:
                return (new RegisterAnswer(true), write.Value);
            case RegisterCall.Delete:
                return (new RegisterAnswer(true), null);
            case RegisterCall.Swap swap:
                bool holds = string.Equals(swap.Expected, value, StringComparison.Ordinal);
                return (new RegisterAnswer(holds), holds ? swap.Value : value);
            default:
                return (new RegisterAnswer(true, value), value);
        }
    }

    private static RegisterCall Draw(SeededRandomSource random, string fresh, string? value) => random.NextBelow(10) switch
    {
        < 4 => new RegisterCall.Read(),
        < 6 => new RegisterCall.Write(fresh),
        < 9 => new RegisterCall.Swap(random.NextBelow(4) == 0 ? "elsewhere" : value, fresh),
        _ => new RegisterCall.Delete(),
    };

    private sealed class UnderWay(int client, int index)
    {
        public int Client { get; } = client;

        public int Index { get; } = index;

        public RegisterAnswer? Answer { get; set; }

        public bool IsAwaited { get; set; } = true;
    }
}
