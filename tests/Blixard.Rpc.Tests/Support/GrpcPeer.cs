using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Blixard.Rpc.Tests.Support;

/// <summary>The gRPC project's JavaScript library, installed on first use, as client and as server.</summary>
public sealed class GrpcPeer : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly List<string> _files = [];

    private static string Folder([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "grpc-peer"));

    // Once for all test classes, which run side by side.
    private static readonly Lazy<Task> Installed = new(InstallAsync);

    public async ValueTask InitializeAsync() => await Installed.Value;

    private static async Task InstallAsync()
    {
        if (Directory.Exists(Path.Combine(Folder(), "node_modules", "@grpc", "grpc-js", "build"))
            && Directory.Exists(Path.Combine(Folder(), "node_modules", "@grpc", "proto-loader", "build")))
            return;
        using Process npm = Start("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]);
        string errors = await npm.StandardError.ReadToEndAsync();
        await npm.WaitForExitAsync();
        Assert.True(npm.ExitCode == 0, $"npm install failed: {errors}");
    }

    /// <summary>Runs a client scenario of peer.js.</summary>
    internal async Task<JsonElement> CallAsync(string scenario, int port, X509Certificate2 server, X509Certificate2? client = null)
    {
        List<string> arguments = ["peer.js", "call", scenario, $"127.0.0.1:{port}", Save(server.ExportCertificatePem())];
        if (client is not null)
            arguments.AddRange([Save(client.ExportCertificatePem()), Save(Key(client))]);
        using Process node = Start("node", arguments);
        using var patience = new CancellationTokenSource(Patience);
        Task<string> errors = node.StandardError.ReadToEndAsync(patience.Token);
        string output = await node.StandardOutput.ReadToEndAsync(patience.Token);
        await node.WaitForExitAsync(patience.Token);
        Assert.True(node.ExitCode == 0, $"{scenario}: {await errors}");
        return JsonSerializer.Deserialize<JsonElement>(output);
    }

    internal async Task<GrpcPeerServer> ServeAsync(X509Certificate2 certificate)
    {
        Process node = Start("node", ["peer.js", "serve", Save(certificate.ExportCertificatePem()), Save(Key(certificate))]);
        var server = new GrpcPeerServer(node);
        server.Port = (await server.NextAsync()).GetProperty("port").GetInt32();
        return server;
    }

    public ValueTask DisposeAsync()
    {
        foreach (string file in _files)
            File.Delete(file);
        return ValueTask.CompletedTask;
    }

    private static string Key(X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey()!;
        return key.ExportPkcs8PrivateKeyPem();
    }

    private static Process Start(string command, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(command, arguments)
        {
            WorkingDirectory = Folder(),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start)!;
    }

    private string Save(string text)
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, text);
        lock (_files)
            _files.Add(file);
        return file;
    }
}

/// <summary>A running grpc-js server.</summary>
internal sealed class GrpcPeerServer(Process node) : IAsyncDisposable
{
    public int Port { get; set; }

    /// <summary>The next line that it printed.</summary>
    public async Task<JsonElement> NextAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        string? line = await node.StandardOutput.ReadLineAsync(patience.Token);
        return line is null
            ? throw new InvalidOperationException($"the peer ended: {await node.StandardError.ReadToEndAsync(patience.Token)}")
            : JsonSerializer.Deserialize<JsonElement>(line);
    }

    public async ValueTask DisposeAsync()
    {
        node.StandardInput.Close();
        await node.WaitForExitAsync();
        node.Dispose();
    }
}
