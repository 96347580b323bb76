using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Blixard.Testing.Basics;
using Iroh.NetReport;

namespace Iroh.Tests.NetReport;

/// <summary>The prober against a STUN server that others wrote (Debian: coturn).</summary>
public sealed class CoturnTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("iroh-coturn-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory(Timeout = Patience.Test)]
    [InlineData("127.0.0.1", "127.0.0.2")]
    [InlineData("::1", null)]
    public async Task Coturn_tells_the_address_of_the_socket(string address, string? otherAddress)
    {
        string? program = new[] { "/usr/bin/turnserver", "/usr/local/bin/turnserver" }.FirstOrDefault(File.Exists);
        Assert.SkipWhen(program is null, "coturn is not installed (Debian: apt-get install coturn)");
        Assert.SkipWhen(address == "::1" && !Socket.OSSupportsIPv6, "there is no IPv6 here");
        int port = FreePort(IPAddress.Parse(address));
        string[] addresses = [.. new[] { address, otherAddress }.OfType<string>()];
        using Process server = Start(program, port, addresses);
        try
        {
            await using var sockets = UdpProbeSockets.Bind([new IPEndPoint(IPAddress.Parse(address), 0)]);
            using var reporter = new NetReporter(sockets);
            var request = new NetReportRequest { StunServers = [.. addresses.Select(host => new StunServer(host, port))] };
            NetReportResult result = await reporter.RunAsync(request, null, Cancel);
            // It takes a moment until it listens.
            for (var waited = Stopwatch.StartNew(); result.Problems.Count > 0 && waited.Elapsed < TimeSpan.FromSeconds(60);)
                result = await reporter.RunAsync(request, null, Cancel);
            Assert.Equal(sockets.LocalEndPoints[0], result.GlobalV4 ?? result.GlobalV6);
            Assert.Equal(otherAddress is null ? null : false, result.MappingVariesByDestinationV4);
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync(Cancel);
        }
    }

    private Process Start(string program, int port, string[] addresses)
    {
        var start = new ProcessStartInfo(
            program,
            [
                "-n", "--stun-only", "--no-tls", "--no-dtls", "--no-cli", "--no-stdout-log", "-p", $"{port}",
                "--log-file", Path.Combine(_folder, "log"), "--pidfile", Path.Combine(_folder, "pid"), "--userdb", Path.Combine(_folder, "db"),
                .. addresses.SelectMany(address => new[] { "-L", address }),
            ])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        Process process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static int FreePort(IPAddress address)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(address, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
