namespace Blixard.Testing.Linearizability;

/// <summary>The search for an order of the operations on one register. Used once, by one thread.</summary>
internal sealed class RegisterSearch
{
    private readonly string _key;

    // By their beginning.
    private readonly RegisterOperation[] _operations;
    private readonly HashSet<State> _visited = [];

    // The order so far: indexes of operations, and what the register held before each.
    private readonly List<(int Operation, string? Before, bool IsForced)> _order = [];
    private readonly ulong[] _done;
    private string? _value;
    private int[]? _longest;
    private string? _longestValue;

    public RegisterSearch(string key, IReadOnlyList<RegisterOperation> operations)
    {
        _key = key;
        _operations = [.. operations.OrderBy(operation => operation.Begun)];
        _done = new ulong[(_operations.Length + 63) / 64];
    }

    public LinearizabilityVerdict Run(int statesMax)
    {
        // Where to look next in the state that the order has led to. Depth first, without recursion: histories are long.
        int from = 0;
        while (!IsComplete())
        {
            if (TryStep(from))
            {
                if (_visited.Count > statesMax)
                    return new LinearizabilityVerdict.Undecided(_key, _visited.Count);
                from = 0;
                continue;
            }

            NoteLongest();
            if (!TryStepBack(out from))
                return Violation();
        }

        return new LinearizabilityVerdict.Linearizable();
    }

    /// <summary>Takes the first operation from an index on that can come next and leads to a state that is new.</summary>
    private bool TryStep(int from)
    {
        // Whoever only looked and can be explained now can be so without harm to any other: there is no other way to try.
        if (from == 0 && Candidates().Where(index => RegisterModel.IsLook(_operations[index])).FirstOrDefault(CanExplain, -1) is >= 0 and int look)
        {
            Take(look, _value, isForced: true);
            return true;
        }

        foreach (int index in Candidates())
        {
            RegisterOperation operation = _operations[index];
            if (index < from || !IsWorthTrying(operation) || !RegisterModel.TryApply(_value, operation.Call, operation.Answer, out string? after))
                continue;
            string? before = _value;
            Take(index, after, isForced: false);
            if (_visited.Add(new State((ulong[])_done.Clone(), after, operation.Answer is null)))
                return true;
            Return(index, before);
        }

        return false;

        bool CanExplain(int index) => RegisterModel.TryApply(_value, _operations[index].Call, _operations[index].Answer, out _);
    }

    /// <summary>
    /// What has no answer is only worth a place in the order if somebody then sees it: not if it changes nothing, and not if the
    /// next operation writes whatever there was. Any order with such a place is one without it as well.
    /// </summary>
    private bool IsWorthTrying(RegisterOperation operation)
    {
        if (operation.Answer is null && RegisterModel.Apply(_value, operation.Call).After == _value)
            return false;
        bool isAfterUnanswered = _order.Count > 0 && _operations[_order[^1].Operation].Answer is null;
        return !isAfterUnanswered || operation.Call is RegisterCall.Read or RegisterCall.Swap;
    }

    /// <summary>Undoes steps up to the last that had a choice.</summary>
    private bool TryStepBack(out int from)
    {
        while (_order.Count > 0)
        {
            (int index, string? before, bool isForced) = _order[^1];
            Return(index, before);
            if (isForced)
                continue;
            from = index + 1;
            return true;
        }

        from = 0;
        return false;
    }

    /// <summary>What could come next: what is not done and began before anything that is not done had ended.</summary>
    private IEnumerable<int> Candidates()
    {
        long firstEnd = long.MaxValue;
        for (int index = 0; index < _operations.Length && _operations[index].Begun < firstEnd; index++)
        {
            if (IsDone(index))
                continue;
            firstEnd = Math.Min(firstEnd, _operations[index].Ended);
            yield return index;
        }
    }

    private bool IsComplete()
    {
        for (int index = 0; index < _operations.Length; index++)
        {
            // What has no answer may never have happened.
            if (!IsDone(index) && _operations[index].Answer is not null)
                return false;
        }

        return true;
    }

    private bool IsDone(int index) => (_done[index / 64] >> (index % 64) & 1) != 0;

    private void Take(int index, string? after, bool isForced)
    {
        _order.Add((index, _value, isForced));
        _done[index / 64] |= 1UL << (index % 64);
        _value = after;
    }

    private void Return(int index, string? before)
    {
        _order.RemoveAt(_order.Count - 1);
        _done[index / 64] &= ~(1UL << (index % 64));
        _value = before;
    }

    private void NoteLongest()
    {
        if (_order.Count <= _longest?.Length)
            return;
        _longest = [.. _order.Select(step => step.Operation)];
        _longestValue = _value;
    }

    private LinearizabilityVerdict.Violation Violation()
    {
        foreach (int index in _longest!)
            _done[index / 64] |= 1UL << (index % 64);
        return new(_key, [.. _longest.Select(index => _operations[index])], _longestValue, [.. Candidates().Select(index => _operations[index])]);
    }

    private readonly struct State(ulong[] done, string? value, bool isAfterUnanswered) : IEquatable<State>
    {
        private readonly ulong[] _done = done;
        private readonly string? _value = value;

        // What may come next depends on it; see IsWorthTrying.
        private readonly bool _isAfterUnanswered = isAfterUnanswered;

        public bool Equals(State other) => _value == other._value && _isAfterUnanswered == other._isAfterUnanswered && _done.AsSpan().SequenceEqual(other._done);

        public override bool Equals(object? obj) => obj is State other && Equals(other);

        public override int GetHashCode()
        {
            var hash = new HashCode();
            hash.Add(_value, StringComparer.Ordinal);
            hash.Add(_isAfterUnanswered);
            foreach (ulong word in _done)
                hash.Add(word);
            return hash.ToHashCode();
        }
    }
}
