using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Iroh.Quic;
using Iroh.Quic.Protocol.Connections;

namespace QuicBench;

/// <summary>Goodput of bulk data in one direction: bytes that the reader got, for a fixed time.</summary>
internal static class Throughput
{
    private const int ChunkLength = 64 * 1024;

    public static async Task RunAsync(TimeSpan time, int streams, bool quicOnly)
    {
        await QuicAsync(TimeSpan.FromSeconds(1), streams, quiet: true);
        await QuicAsync(time, streams, quiet: false);
        if (quicOnly)
            return;
        await TlsAsync(TimeSpan.FromSeconds(1), quiet: true);
        await TlsAsync(time, quiet: false);
    }

    private static async Task QuicAsync(TimeSpan time, int streams, bool quiet)
    {
        await using QuicEndpoint server = Endpoints.Create(1);
        await using QuicEndpoint client = Endpoints.Create(2);
        (QuicConnection sender, QuicConnection receiver) = await Endpoints.ConnectAsync(client, server);
        long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan cpuBefore = Process.GetCurrentProcess().TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        Task<long>[] readers = [.. Enumerable.Range(0, streams).Select(_ => Task.Run(async () =>
        {
            await using QuicStream stream = await receiver.AcceptUnidirectionalStreamAsync();
            return await DrainAsync(stream);
        }))];
        await Task.WhenAll(Enumerable.Range(0, streams).Select(_ => Task.Run(async () =>
        {
            await using QuicStream stream = await sender.OpenUnidirectionalStreamAsync();
            await FillAsync(stream, time);
            stream.CompleteWrites();
        })));
        long total = (await Task.WhenAll(readers)).Sum();
        watch.Stop();
        if (quiet)
            return;

        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime - cpuBefore;
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        ConnectionStatistics sent = sender.Statistics, received = receiver.Statistics;
        Print($"QUIC, {streams} stream(s)", total, watch.Elapsed);
        Console.WriteLine(
            $"  {total * 8 / cpu.TotalSeconds / 1e9:f2} Gbit a CPU second, cpu {cpu / watch.Elapsed:f2} cores, {sent.DatagramsSent} datagrams out, {sent.DatagramsReceived} in, lost {sent.PacketsLost}, "
            + $"probe timeouts {sent.ProbeTimeouts}, congestion events {sent.CongestionEvents}, window {sent.CongestionWindow}, mtu {sent.Mtu}");
        Console.WriteLine(
            $"  rtt {sent.SmoothedRtt.TotalMilliseconds:f3} ms (min {sent.MinRtt.TotalMilliseconds:f3}), key updates {sent.KeyUpdates}, "
            + $"dropped by the receiver {received.PacketsDropped}, allocated {(double)allocated / sent.DatagramsSent:f1} B a datagram");
    }

    private static async Task TlsAsync(TimeSpan time, bool quiet)
    {
        using X509Certificate2 certificate = CreateCertificate();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var clientSocket = new TcpClient();
        Task<TcpClient> accept = listener.AcceptTcpClientAsync();
        await clientSocket.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using TcpClient serverSocket = await accept;
#pragma warning disable CA5359 // The certificate was made above.
        await using var sender = new SslStream(clientSocket.GetStream(), false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await using var receiver = new SslStream(serverSocket.GetStream());
        await Task.WhenAll(
            sender.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "bench", EnabledSslProtocols = SslProtocols.Tls13 }),
            receiver.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate, EnabledSslProtocols = SslProtocols.Tls13 }));

        TimeSpan cpuBefore = Process.GetCurrentProcess().TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        Task<long> reader = Task.Run(() => DrainAsync(receiver));
        await Task.Run(async () =>
        {
            await FillAsync(sender, time);
            await sender.ShutdownAsync();
        });
        long total = await reader;
        watch.Stop();
        if (quiet)
            return;
        Print($"TLS 1.3 over TCP, {sender.NegotiatedCipherSuite}", total, watch.Elapsed);
        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime - cpuBefore;
        Console.WriteLine($"  {total * 8 / cpu.TotalSeconds / 1e9:f2} Gbit a CPU second, cpu {cpu / watch.Elapsed:f2} cores");
    }

    private static async Task FillAsync(Stream stream, TimeSpan time)
    {
        byte[] chunk = new byte[ChunkLength];
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < time)
            await stream.WriteAsync(chunk);
    }

    private static async Task<long> DrainAsync(Stream stream)
    {
        byte[] chunk = new byte[ChunkLength];
        long total = 0;
        for (int count; (count = await stream.ReadAsync(chunk)) > 0; total += count)
        {
        }

        return total;
    }

    private static void Print(string what, long bytes, TimeSpan time) =>
        Console.WriteLine($"{what}: {bytes * 8 / time.TotalSeconds / 1e9:f2} Gbit/s ({bytes / 1e6:f0} MB in {time.TotalSeconds:f2} s)");

    private static X509Certificate2 CreateCertificate()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256);
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}
