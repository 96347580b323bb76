namespace Blixard.Cluster.Store;

/// <summary>
/// Which of several candidates is used. It stays with one until that fails, and goes back to a more preferred one when that has
/// answered again. Candidates are told apart as objects; their lists are by preference and may differ from call to call. Pure;
/// not thread-safe.
/// </summary>
internal sealed class FailoverChoice<T>
    where T : class
{
    private T? _current;

    /// <summary>In which order a call tries the candidates: the one in use, then the others by preference.</summary>
    public IReadOnlyList<T> Order(IReadOnlyList<T> candidates)
    {
        if (candidates.Count == 0)
            return [];
        T first = Current(candidates);
        return [first, .. candidates.Where(candidate => !ReferenceEquals(candidate, first))];
    }

    /// <summary>Leaves a candidate that has failed for another, unless it was left already.</summary>
    /// <returns>Whether it was left now.</returns>
    public bool Leave(T failed, T to, IReadOnlyList<T> candidates)
    {
        if (ReferenceEquals(failed, to) || !ReferenceEquals(Current(candidates), failed))
            return false;
        _current = to;
        return true;
    }

    /// <summary>The candidate after one in the list, and after the last the first.</summary>
    public static T Next(T candidate, IReadOnlyList<T> candidates) => candidates[(IndexOf(candidate, candidates) + 1) % candidates.Count];

    /// <summary>Those that would be preferred to the one in use.</summary>
    public IReadOnlyList<T> Better(IReadOnlyList<T> candidates) =>
        candidates.Count == 0 ? [] : [.. candidates.Take(IndexOf(Current(candidates), candidates))];

    /// <summary>Goes to a candidate that has answered, if it is preferred to the one in use.</summary>
    /// <returns>Whether it is now the one in use.</returns>
    public bool GoBack(T to, IReadOnlyList<T> candidates)
    {
        if (!Better(candidates).Contains(to))
            return false;
        _current = to;
        return true;
    }

    private T Current(IReadOnlyList<T> candidates) => _current is not null && IndexOf(_current, candidates) >= 0 ? _current : candidates[0];

    private static int IndexOf(T candidate, IReadOnlyList<T> candidates)
    {
        for (int index = 0; index < candidates.Count; index++)
        {
            if (ReferenceEquals(candidates[index], candidate))
                return index;
        }

        return -1;
    }
}
