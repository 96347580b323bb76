using System.Globalization;
using Blixard.Etcd.Process;

namespace StoreBench;

/// <summary>
/// Puts to three etcd members on this machine, one way of their Raft traffic after the other, through the same client on each member's
/// socket: so only the way differs.
/// <code>
/// StoreBench [SECONDS] [ROUNDS] [WAY...] [--clients N,...] [--warm-up SECONDS]
///     ways: alone (etcd's own TCP), slack (the same, with the timer slack that nodes give etcd), p2p, grpc; default 10 seconds, 1 round, all ways, 1 and 32 clients, 15 seconds to warm up
/// </code>
/// </summary>
internal static class Program
{
    // Most just in time compilation is over by then; what is left of it is part of the figures.
    private const int WarmUpSeconds = 15;

    private static readonly int[] s_clients = [1, 32];

    private static async Task<int> Main(string[] given)
    {
        List<string> arguments = [.. given];
        TimeSpan warmUp = TimeSpan.FromSeconds(Take(arguments, "--warm-up") is { } seconds ? int.Parse(seconds, CultureInfo.InvariantCulture) : WarmUpSeconds);
        int[] loads = Take(arguments, "--clients") is { } list ? [.. list.Split(',').Select(one => int.Parse(one, CultureInfo.InvariantCulture))] : s_clients;
        TimeSpan duration = TimeSpan.FromSeconds(Number(arguments, 0, 10));
        int rounds = Number(arguments, 1, 1);
        string[] ways = arguments.Skip(2).ToArray() is { Length: > 0 } chosen ? chosen : ["alone", "slack", "p2p", "grpc"];
        var measured = new List<Measurement>();
        for (int round = 0; round < rounds; round++)
        {
            foreach (string way in ways)
            {
                await using IMembers members = way switch
                {
                    "alone" => await PlainEtcd.StartAsync(slack: null),
                    "slack" => await PlainEtcd.StartAsync(TimerSlack.OfEtcd),
                    "p2p" or "grpc" => await NodeMembers.StartAsync(way == "p2p"),
                    _ => throw new ArgumentException($"'{way}' is no way: alone, slack, p2p or grpc"),
                };
                foreach (int clients in loads)
                {
                    Measurement result = await PutLoad.RunAsync(way, members, clients, warmUp, duration);
                    measured.Add(result);
                    await Console.Error.WriteLineAsync($"round {round + 1}: {result}");
                }
            }
        }

        Console.WriteLine(Table.Render(measured));
        return 0;
    }

    // An option's value; both are taken out.
    private static string? Take(List<string> arguments, string option)
    {
        int place = arguments.IndexOf(option);
        if (place < 0)
            return null;
        string value = arguments[place + 1];
        arguments.RemoveRange(place, 2);
        return value;
    }

    private static int Number(List<string> arguments, int place, int otherwise) =>
        arguments.Count > place ? int.Parse(arguments[place], CultureInfo.InvariantCulture) : otherwise;
}
