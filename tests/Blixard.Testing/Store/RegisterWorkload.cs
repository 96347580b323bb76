using System.Text;
using Blixard.Cluster.Store;
using Blixard.Testing.Linearizability;
using Iroh.Cryptography;

namespace Blixard.Testing.Store;

/// <summary>
/// Clients that use keys of a store as registers and write down what they asked and what they were told. Every value is written
/// by one call only, so that a read tells whose write it saw.
/// </summary>
/// <param name="recorder">Where the history goes.</param>
/// <param name="seed">Decides what each client does; when it does so the machine decides.</param>
public sealed class RegisterWorkload(HistoryRecorder recorder, ulong seed)
{
    /// <summary>The registers: few, so that clients meet.</summary>
    public static IReadOnlyList<string> Keys { get; } = ["/register/a", "/register/b", "/register/c"];

    /// <summary>Lets clients use a store, each doing one operation after the other.</summary>
    /// <param name="storeOf">The store that a client uses.</param>
    /// <param name="clients">How many.</param>
    /// <param name="operations">How many operations each does.</param>
    /// <param name="cancellationToken">Ends it early; operations under way then have no answer.</param>
    public Task RunAsync(Func<int, IClusterStore> storeOf, int clients, int operations, CancellationToken cancellationToken) =>
        Task.WhenAll(Enumerable.Range(0, clients).Select(client => Task.Run(
            async () =>
            {
                var random = new SeededRandomSource((seed * 1_000) + (ulong)client);
                var lastSeen = new Dictionary<string, string?>(StringComparer.Ordinal);
                for (int number = 0; number < operations && !cancellationToken.IsCancellationRequested; number++)
                {
                    string key = Keys[(int)random.NextBelow((ulong)Keys.Count)];
                    RegisterCall call = Draw(random, $"{client}.{number}", lastSeen.GetValueOrDefault(key));
                    RegisterAnswer? answer = await DoAsync(storeOf(client), client, key, call, cancellationToken).ConfigureAwait(false);
                    if (answer is { } told)
                        lastSeen[key] = RegisterOf(call, told, lastSeen.GetValueOrDefault(key));
                }
            },
            CancellationToken.None)));

    /// <summary>One operation, written down. Null if its outcome is unknown or it surely did not happen.</summary>
    public async Task<RegisterAnswer?> DoAsync(IClusterStore store, int client, string key, RegisterCall call, CancellationToken cancellationToken)
    {
        HistoryRecorder.Pending pending = recorder.Begin(client, key, call);
        try
        {
            RegisterAnswer answer = await AskAsync(store, key, call, cancellationToken).ConfigureAwait(false);
            pending.End(answer);
            return answer;
        }
        catch (StoreUnavailableException exception)
        {
            if (exception.HadNoEffect)
                pending.WasNothing();
            return null;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private static RegisterCall Draw(SeededRandomSource random, string value, string? expected) => random.NextBelow(10) switch
    {
        < 4 => new RegisterCall.Read(),
        < 6 => new RegisterCall.Write(value),
        < 8 => new RegisterCall.Swap(expected, value),
        // One that must be refused.
        8 => new RegisterCall.Swap("elsewhere", value),
        _ => new RegisterCall.Delete(),
    };

    private static string? RegisterOf(RegisterCall call, RegisterAnswer answer, string? before) => call switch
    {
        RegisterCall.Read => answer.Value,
        RegisterCall.Write write => write.Value,
        RegisterCall.Swap swap => answer.Succeeded ? swap.Value : before,
        _ => null,
    };

    private static async Task<RegisterAnswer> AskAsync(IClusterStore store, string key, RegisterCall call, CancellationToken cancellationToken)
    {
        if (call is RegisterCall.Read)
        {
            StoreEntry? entry = await store.GetAsync(key, cancellationToken).ConfigureAwait(false);
            return RegisterAnswer.Of(entry is null ? null : Encoding.UTF8.GetString(entry.Value.Span));
        }

        StoreTransaction transaction = call switch
        {
            RegisterCall.Write write => new([], [Put(write.Value)]),
            RegisterCall.Swap { Expected: null } swap => new([new StoreComparison.Absent(key)], [Put(swap.Value)]),
            RegisterCall.Swap swap => new([new StoreComparison.ValueIs(key, Encoding.UTF8.GetBytes(swap.Expected))], [Put(swap.Value)]),
            _ => new([], [new StoreOperation.Delete(key)]),
        };
        return new RegisterAnswer((await store.TransactAsync(transaction, cancellationToken).ConfigureAwait(false)).Succeeded);

        StoreOperation Put(string value) => new StoreOperation.Put(key, Encoding.UTF8.GetBytes(value));
    }
}
