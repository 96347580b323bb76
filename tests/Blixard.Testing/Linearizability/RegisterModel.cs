namespace Blixard.Testing.Linearizability;

/// <summary>One register used by one client at a time: what every answer must be explained by.</summary>
internal static class RegisterModel
{
    /// <summary>What the register holds after a call.</summary>
    /// <returns>False if the call cannot have been answered so when the register held <paramref name="value"/>.</returns>
    public static bool TryApply(string? value, RegisterCall call, RegisterAnswer? answer, out string? after)
    {
        (RegisterAnswer right, after) = Apply(value, call);
        return answer is null || answer == right;
    }

    /// <summary>How the register answers, and what it holds then.</summary>
    public static (RegisterAnswer Answer, string? After) Apply(string? value, RegisterCall call) => call switch
    {
        RegisterCall.Read => (RegisterAnswer.Of(value), value),
        RegisterCall.Write write => (RegisterAnswer.Done, write.Value),
        RegisterCall.Swap swap when swap.Expected == value => (RegisterAnswer.Done, swap.Value),
        RegisterCall.Swap => (RegisterAnswer.Refused, value),
        RegisterCall.Delete => (RegisterAnswer.Done, null),
        _ => throw new ArgumentException($"{call.GetType()} is no call of a register.", nameof(call)),
    };

    /// <summary>Whether an operation only looked: wherever it can be explained, the register is the same after it.</summary>
    public static bool IsLook(RegisterOperation operation) =>
        operation is { Call: RegisterCall.Read, Answer: not null } or { Call: RegisterCall.Swap, Answer: { Succeeded: false } };
}
