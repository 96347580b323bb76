using System.ComponentModel;
using System.Diagnostics;
using Blixard.Etcd.Client;
using Blixard.Etcd.Store;
using Blixard.Etcd.Wire;

namespace Blixard.Etcd.Tests.Support;

/// <summary>Real etcd members in one folder of their own, which reach each other and are reached through sockets there.</summary>
internal sealed class EtcdCluster : IAsyncDisposable
{
    // An etcd starts in a fraction of a second; this is for machines that are busy with everything else.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private const int LogLinesMax = 40;

    private readonly string _root;
    private readonly string _folder;
    private readonly System.Diagnostics.Process?[] _members;
    private readonly EtcdClient[] _clients;
    private readonly Queue<string> _log = new();

    private EtcdCluster(int members, int deeper)
    {
        _root = Directory.CreateTempSubdirectory("blixard-etcd-").FullName;
        _folder = Directory.CreateDirectory(Path.Combine(_root, new string('d', deeper))).FullName;
        _members = new System.Diagnostics.Process?[members];
        _clients = [.. Enumerable.Range(0, members).Select(member => new EtcdClient(SocketPath(member), TimeProvider.System))];
    }

    /// <summary>Starts members and waits until each of them serves.</summary>
    /// <param name="members">How many.</param>
    /// <param name="deeper">How many characters the path of the folder has more than it needs.</param>
    public static async Task<EtcdCluster> StartAsync(int members = 1, int deeper = 0)
    {
        var cluster = new EtcdCluster(members, deeper);
        try
        {
            for (int member = 0; member < members; member++)
                cluster.Start(member);
            for (int member = 0; member < members; member++)
                await cluster.WaitAsync(member);
            return cluster;
        }
        catch (Exception)
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public EtcdClient Client(int member = 0) => _clients[member];

    /// <summary>A store that waits for a busy machine.</summary>
    public EtcdStore Store(int member = 0) => new(Client(member), TimeProvider.System, s_patience);

    /// <summary>A store with the time limits of production.</summary>
    public EtcdStore ImpatientStore(int member = 0) => new(Client(member), TimeProvider.System);

    public string SocketPath(int member = 0) => Path.Combine(_folder, $"client{member}:0");

    /// <summary>Starts a member; it serves later.</summary>
    public void Start(int member)
    {
        var start = new ProcessStartInfo("etcd") { WorkingDirectory = _folder, RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in (string[])
        [
            "--name", Name(member), "--data-dir", $"data{member}", "--listen-client-urls", $"unix://client{member}:0",
            "--advertise-client-urls", $"unix://client{member}:0", "--listen-peer-urls", PeerUrl(member),
            "--initial-advertise-peer-urls", PeerUrl(member), "--initial-cluster",
            string.Join(',', Enumerable.Range(0, _members.Length).Select(other => $"{Name(other)}={PeerUrl(other)}")),
            "--max-request-bytes", $"{EtcdStore.RequestBytesMax}", "--enable-grpc-gateway=false", "--logger", "zap",
        ])
        {
            start.ArgumentList.Add(argument);
        }

        // etcd does not bind where a killed one left its socket.
        File.Delete(SocketPath(member));
        try
        {
            System.Diagnostics.Process process = System.Diagnostics.Process.Start(start)!;
            process.OutputDataReceived += (_, line) => Note(line.Data);
            process.ErrorDataReceived += (_, line) => Note(line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            _members[member] = process;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException("These tests need etcd 3.4 to 3.6 on the PATH; ./test installs it (Debian: etcd-server).", e);
        }
    }

    /// <summary>Waits until a member answers a read that needs a leader.</summary>
    public Task WaitAsync(int member = 0) => WaitAsync(Client(member), () =>
    {
        if (_members[member] is { HasExited: true })
            throw new InvalidOperationException($"etcd ended:\n{Log()}");
    });

    /// <summary>Waits until the member that a client calls answers a read that needs a leader.</summary>
    public static async Task WaitAsync(EtcdClient client, Action? check = null)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await client.RangeAsync(new RangeRequest { Key = EtcdMessages.ToBytes("x") }, new EtcdCallOptions { Timeout = s_patience });
                return;
            }
            catch (EtcdException) when (Stopwatch.GetElapsedTime(started) < s_patience)
            {
                check?.Invoke();
                await Task.Delay(20);
            }
        }
    }

    /// <summary>Ends a member without a warning and waits until it is gone.</summary>
    public async Task KillAsync(int member = 0)
    {
        if (_members[member] is not { } process)
            return;
        _members[member] = null;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        for (int member = 0; member < _members.Length; member++)
        {
            await KillAsync(member);
            _clients[member].Dispose();
        }

        Directory.Delete(_root, recursive: true);
    }

    private static string Name(int member) => $"member{member}";

    private static string PeerUrl(int member) => $"unix://peer{member}:2380";

    private void Note(string? line)
    {
        if (line is null)
            return;
        lock (_log)
        {
            _log.Enqueue(line);
            if (_log.Count > LogLinesMax)
                _log.Dequeue();
        }
    }

    private string Log()
    {
        lock (_log)
            return string.Join('\n', _log);
    }
}
