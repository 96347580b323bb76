using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Blixard.Etcd.Client;
using Blixard.Etcd.Process;

namespace StoreBench;

/// <summary>Three etcd processes that reach each other by TCP over loopback, as etcd is usually run.</summary>
internal sealed class PlainEtcd : IMembers
{
    private readonly Children _children = new();

    public IReadOnlyList<string> ClientSockets => [.. s_names.Select(name => Path.Combine(_children.Folder, name, "client:0"))];

    public IReadOnlyList<int> EtcdProcesses => _children.Processes;

    public IReadOnlyList<int> NodeProcesses => [];

    private static readonly string[] s_names = ["a", "b", "c"];

    /// <param name="slack">The timer slack of the processes; null for the kernel's usual one.</param>
    public static async Task<PlainEtcd> StartAsync(TimeSpan? slack)
    {
        var members = new PlainEtcd();
        try
        {
            int[] ports = FreePorts(s_names.Length);
            string cluster = string.Join(',', s_names.Zip(ports, (name, port) => $"{name}=http://127.0.0.1:{port}"));
            foreach ((string name, int port) in s_names.Zip(ports))
            {
                string directory = Directory.CreateDirectory(Path.Combine(members._children.Folder, name)).FullName;
                // The same timing, and nothing else switched on or off, as in a node's etcd.
                Process Start() => members._children.Start(
                    name, directory, "etcd", "--name", name, "--data-dir", "data",
                    "--listen-client-urls", "unix://client:0", "--advertise-client-urls", "unix://client:0",
                    "--listen-peer-urls", $"http://127.0.0.1:{port}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{port}",
                    "--initial-cluster", cluster, "--initial-cluster-state", "new", "--enable-grpc-gateway=false", "--logger", "zap",
                    "--heartbeat-interval", "100", "--election-timeout", "1000", "--snapshot-count", "10000", "--pre-vote");
                _ = slack is { } given ? TimerSlack.Give(given, Start) : Start();
            }

            await UntilServingAsync(members.ClientSockets);
            return members;
        }
        catch
        {
            await members.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until every member answers and knows a leader.</summary>
    public static async Task UntilServingAsync(IReadOnlyList<string> sockets)
    {
        using var limit = new CancellationTokenSource(Children.Patience);
        foreach (string path in sockets)
        {
            using var client = new EtcdClient(path, TimeProvider.System);
            while (!await HasLeaderAsync(client))
                await Task.Delay(100, limit.Token);
        }
    }

    public ValueTask DisposeAsync() => _children.DisposeAsync();

    private static async Task<bool> HasLeaderAsync(EtcdClient client)
    {
        try
        {
            return (await client.StatusAsync()).Leader != 0;
        }
        catch (EtcdException)
        {
            return false;
        }
    }

    private static int[] FreePorts(int count)
    {
        var taken = new List<TcpListener>();
        for (int i = 0; i < count; i++)
        {
            var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            taken.Add(listener);
        }

        int[] ports = [.. taken.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        taken.ForEach(listener => listener.Dispose());
        return ports;
    }
}
