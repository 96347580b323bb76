using Blixard.Etcd.Membership;
using Blixard.Etcd.Process;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Etcd.Tests.Support;

/// <summary>One real etcd of a test, in a directory of its own.</summary>
internal sealed class TestEtcd : IAsyncDisposable
{
    public const string Token = "3f6c0d4e-8f0e-4b0f-9e55-0d2f4a3f1c11";

    private TestEtcd(EtcdServerOptions options, EtcdServer server, RecordedLog log)
    {
        Options = options;
        Server = server;
        Log = log;
    }

    public EtcdServerOptions Options { get; }

    public EtcdServer Server { get; }

    public RecordedLog Log { get; }

    /// <summary>The endpoint id number <paramref name="number"/>: the same in every run.</summary>
    public static EndpointId Id(int number)
    {
        byte[] seed = new byte[SecretKey.Length];
        new SeededRandomSource((ulong)number + 1).Fill(seed);
        return SecretKey.FromBytes(seed).PublicKey;
    }

    public static EtcdServerOptions OptionsIn(string directory, int number = 0) => new() { Directory = directory, Self = Id(number) };

    public static async Task<TestEtcd> StartAsync(EtcdServerOptions options, EtcdStart start)
    {
        var log = new RecordedLog();
        using CancellationTokenSource limit = Patience.Start();
        return new TestEtcd(options, await EtcdServer.StartAsync(options, start, log, TimeProvider.System, limit.Token), log);
    }

    /// <summary>Starts it and waits until it serves.</summary>
    public static async Task<TestEtcd> ServeAsync(EtcdServerOptions options, EtcdStart start)
    {
        TestEtcd etcd = await StartAsync(options, start);
        await etcd.UntilAsync(status => status.State == EtcdServerState.Serving);
        return etcd;
    }

    /// <summary>Founds a cluster of one and waits until it serves.</summary>
    public static Task<TestEtcd> FoundAsync(string directory, int number = 0) =>
        ServeAsync(OptionsIn(directory, number), new EtcdStart.NewCluster(Token));

    /// <summary>The first state, from now on, for which the condition holds.</summary>
    public async Task<EtcdServerStatus> UntilAsync(Func<EtcdServerStatus, bool> condition)
    {
        using CancellationTokenSource limit = Patience.Start();
        try
        {
            await foreach (EtcdServerStatus status in Server.WatchAsync(limit.Token))
            {
                if (condition(status))
                    return status;
            }
        }
        catch (OperationCanceledException)
        {
            // Told below.
        }

        Assert.Fail($"waited in vain; it is {Server.Status}\n{Log}");
        throw new InvalidOperationException();
    }


    /// <summary>Leads the socket for <paramref name="other"/> in etcd's <paramref name="directory"/> to that one's peer socket, as the nodes' tunnels do.</summary>
    public static void Link(string directory, EtcdServerOptions other)
    {
        Directory.CreateDirectory(directory);
        string link = Path.Combine(directory, EtcdMembership.PeerSocketName(other.Self));
        if (!Path.Exists(link) && new FileInfo(link).LinkTarget is null)
            File.CreateSymbolicLink(link, Path.Combine(other.Directory, EtcdCommandLine.PeerSocket));
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
