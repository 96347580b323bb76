using System.Globalization;

namespace StoreBench;

/// <summary>
/// Puts to three etcd members on this machine, one way of their Raft traffic after the other, through the same client on each member's
/// socket: so only the way differs.
/// <code>
/// StoreBench [SECONDS] [ROUNDS] [WAY...]     ways: alone (etcd's own TCP), p2p, grpc; default 10 seconds, 1 round, all ways
/// </code>
/// </summary>
internal static class Program
{
    private static readonly int[] s_clients = [1, 32];

    private static async Task<int> Main(string[] arguments)
    {
        TimeSpan duration = TimeSpan.FromSeconds(Number(arguments, 0, 10));
        int rounds = Number(arguments, 1, 1);
        string[] ways = arguments.Skip(2).ToArray() is { Length: > 0 } chosen ? chosen : ["alone", "p2p", "grpc"];
        var measured = new List<Measurement>();
        for (int round = 0; round < rounds; round++)
        {
            foreach (string way in ways)
            {
                await using IMembers members = way == "alone" ? await PlainEtcd.StartAsync() : await NodeMembers.StartAsync(way == "p2p");
                foreach (int clients in s_clients)
                {
                    Measurement result = await PutLoad.RunAsync(way, members, clients, duration);
                    measured.Add(result);
                    await Console.Error.WriteLineAsync($"round {round + 1}: {result}");
                }
            }
        }

        Console.WriteLine(Table.Render(measured));
        return 0;
    }

    private static int Number(string[] arguments, int place, int otherwise) =>
        arguments.Length > place ? int.Parse(arguments[place], CultureInfo.InvariantCulture) : otherwise;
}
