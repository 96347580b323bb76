namespace Blixard.Testing.Linearizability;

/// <summary>
/// Says whether a history of concurrent clients of registers is linearizable: whether each operation can be given a moment
/// between its call and its answer such that the answers are those of one register used by one client at a time.
/// </summary>
/// <remarks>
/// The search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with the memory of Lowe ("Testing for
/// linearizability", 2017): whichever operation could come next is tried, and no pair of "which operations are done" and "what
/// the register holds" is entered twice. Each register is checked alone, as linearizability is local (Herlihy and Wing 1990).
/// Pure: the same history gives the same verdict.
/// </remarks>
public static class LinearizabilityChecker
{
    /// <summary>The most states that are explored for one register by default: some hundred megabytes and a minute at worst.
    /// Histories of real stores with a dozen clients need some thousands.</summary>
    public const int StatesMax = 500_000;

    /// <summary>Checks a history.</summary>
    /// <param name="history">Its operations, in any order.</param>
    /// <param name="statesMax">The most states to explore for one register.</param>
    /// <exception cref="ArgumentException">An operation ends before it begins.</exception>
    public static LinearizabilityVerdict Check(IEnumerable<RegisterOperation> history, int statesMax = StatesMax)
    {
        ArgumentNullException.ThrowIfNull(history);
        foreach (IGrouping<string, RegisterOperation> register in history.GroupBy(operation => operation.Key).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            foreach (RegisterOperation operation in register)
            {
                if (operation.Ended <= operation.Begun)
                    throw new ArgumentException($"It ends before it begins: {operation}", nameof(history));
            }

            // A read that nobody got an answer to says nothing and changes nothing.
            var relevant = register.Where(operation => operation is not { Call: RegisterCall.Read, Answer: null }).ToList();
            LinearizabilityVerdict verdict = new RegisterSearch(register.Key, relevant).Run(statesMax);
            if (verdict is not LinearizabilityVerdict.Linearizable)
                return verdict;
        }

        return new LinearizabilityVerdict.Linearizable();
    }
}
