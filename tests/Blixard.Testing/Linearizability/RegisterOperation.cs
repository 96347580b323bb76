namespace Blixard.Testing.Linearizability;

/// <summary>What a client asked of a register. A register holds a text or, as null, nothing; it begins with nothing.</summary>
public abstract record RegisterCall
{
    private RegisterCall()
    {
    }

    /// <summary>Asks what the register holds.</summary>
    public sealed record Read : RegisterCall;

    /// <summary>Puts a text into it.</summary>
    public sealed record Write(string Value) : RegisterCall;

    /// <summary>Puts a text into it if it holds what is expected (null: nothing).</summary>
    public sealed record Swap(string? Expected, string Value) : RegisterCall;

    /// <summary>Empties it.</summary>
    public sealed record Delete : RegisterCall;
}

/// <summary>What the client was told.</summary>
/// <param name="Succeeded">Of a swap: whether it was done. True for everything else.</param>
/// <param name="Value">Of a read: what the register held. Null for everything else.</param>
public readonly record struct RegisterAnswer(bool Succeeded, string? Value = null)
{
    /// <summary>A read's answer.</summary>
    public static RegisterAnswer Of(string? value) => new(true, value);

    /// <summary>What everything but a read that was done answers.</summary>
    public static RegisterAnswer Done { get; } = new(true);

    /// <summary>A swap that found something else.</summary>
    public static RegisterAnswer Refused { get; } = new(false);
}

/// <summary>One operation of a history.</summary>
/// <param name="Client">Who did it; for people.</param>
/// <param name="Key">Which register.</param>
/// <param name="Call">What was asked.</param>
/// <param name="Answer">What was answered; null if that is not known: it may have happened at any time after its call, or never.</param>
/// <param name="Begun">When it was called. Times of a history are numbers of events, each different.</param>
/// <param name="Ended">When it was answered; <see cref="long.MaxValue"/> if it was not.</param>
public sealed record RegisterOperation(int Client, string Key, RegisterCall Call, RegisterAnswer? Answer, long Begun, long Ended)
{
    /// <summary>One line, such as "[3..7] client 1: write k = v".</summary>
    public override string ToString()
    {
        string what = Call switch
        {
            RegisterCall.Read => $"read {Key}" + (Answer is { } read ? $" -> {read.Value ?? "nothing"}" : ""),
            RegisterCall.Write write => $"write {Key} = {write.Value}",
            RegisterCall.Swap swap => $"swap {Key} from {swap.Expected ?? "nothing"} to {swap.Value}" + (Answer is { Succeeded: false } ? " (refused)" : ""),
            _ => $"delete {Key}",
        };
        return $"[{Begun}..{(Answer is null ? "?" : $"{Ended}")}] client {Client}: {what}";
    }
}
