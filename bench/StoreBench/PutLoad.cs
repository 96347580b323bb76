using System.Diagnostics;
using Blixard.Etcd.Client;
using Blixard.Etcd.Wire;
using Google.Protobuf;

namespace StoreBench;

/// <summary>Clients that put one key after the other, each waiting for the answer: a single one at the leader's member, several spread
/// over all members.</summary>
internal static class PutLoad
{
    private const int ValueBytes = 256;
    private const int KeysPerClient = 100;

    public static async Task<Measurement> RunAsync(string way, IMembers members, int clients, TimeSpan warmUp, TimeSpan duration)
    {
        EtcdClient[] sockets = [.. members.ClientSockets.Select(path => new EtcdClient(path, TimeProvider.System))];
        try
        {
            int leader = await UntilLeaderAsync(sockets);
            EtcdClient Of(int client) => sockets[(leader + client) % sockets.Length];
            await Task.WhenAll(Enumerable.Range(0, clients).Select(client => PutAsync(Of(client), client, warmUp)));
            // A leader that lost its office meanwhile is no longer the one that a single client meets.
            int now = await FindLeaderAsync(sockets);
            if (now != leader)
                throw new InvalidOperationException("the leader changed while the members warmed up; run again on a quieter machine");
            IReadOnlyList<int> etcd = members.EtcdProcesses, nodes = members.NodeProcesses;
            Consumption etcdBefore = Consumption.Of(etcd), nodesBefore = Consumption.Of(nodes);
            await Console.Error.WriteLineAsync($"{way}, {clients} clients: measuring");
            long start = Stopwatch.GetTimestamp();
            List<long>[] times = await Task.WhenAll(Enumerable.Range(0, clients).Select(client => Task.Run(() => PutAsync(Of(client), client, duration))));
            TimeSpan taken = Stopwatch.GetElapsedTime(start);
            Consumption etcdUsed = Consumption.Of(etcd) - etcdBefore, nodesUsed = Consumption.Of(nodes) - nodesBefore;
            long[] all = [.. times.SelectMany(one => one).Order()];
            return new Measurement(
                way, clients, all.Length / taken.TotalSeconds,
                Stopwatch.GetElapsedTime(0, all[all.Length / 2]), Stopwatch.GetElapsedTime(0, all[all.Length * 99 / 100]),
                PerPut.Of(etcdUsed, all.Length), PerPut.Of(nodesUsed, all.Length));
        }
        finally
        {
            foreach (EtcdClient socket in sockets)
                socket.Dispose();
        }
    }

    // Members that have just got their votes may know no common leader for a moment, or end a connection.
    private static async Task<int> UntilLeaderAsync(EtcdClient[] sockets)
    {
        using var limit = new CancellationTokenSource(Children.Patience);
        while (true)
        {
            try
            {
                if (await FindLeaderAsync(sockets) is >= 0 and int leader)
                    return leader;
            }
            catch (EtcdException e) when (e.IsUnavailable)
            {
            }

            await Task.Delay(100, limit.Token);
        }
    }

    private static async Task<int> FindLeaderAsync(EtcdClient[] sockets)
    {
        StatusResponse[] statuses = await Task.WhenAll(sockets.Select(socket => socket.StatusAsync()));
        return Array.FindIndex(statuses, status => status.Header.MemberId == status.Leader);
    }

    private static async Task<List<long>> PutAsync(EtcdClient socket, int client, TimeSpan duration)
    {
        byte[] value = new byte[ValueBytes];
        new Random(client).NextBytes(value);
        var times = new List<long>();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; Stopwatch.GetElapsedTime(start) < duration; i++)
        {
            var put = new PutRequest { Key = ByteString.CopyFromUtf8($"/bench/{client}/{i % KeysPerClient}"), Value = UnsafeByteOperations.UnsafeWrap(value) };
            long before = Stopwatch.GetTimestamp();
            await socket.TransactAsync(new TxnRequest { Success = { new RequestOp { RequestPut = put } } });
            times.Add(Stopwatch.GetTimestamp() - before);
        }

        return times;
    }
}
