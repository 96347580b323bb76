using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace BlobsBench.Transfers;

/// <summary>An nginx of its own on a loopback port, as the current user, that serves the folder of a scene.</summary>
internal sealed class Nginx : IDisposable
{
    private readonly Process _process;

    private Nginx(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public static async Task<Nginx> StartAsync(Scene scene)
    {
        int port = FreePort();
        string folder = scene.NewFolder();
        string configuration = Path.Combine(folder, "nginx.conf");
        await File.WriteAllTextAsync(configuration, $$"""
            daemon off;
            master_process off;
            pid {{folder}}/pid;
            error_log {{folder}}/error.log;
            events { }
            http {
                access_log off;
                sendfile on;
                client_body_temp_path {{folder}}/body;
                proxy_temp_path {{folder}}/proxy;
                fastcgi_temp_path {{folder}}/fastcgi;
                uwsgi_temp_path {{folder}}/uwsgi;
                scgi_temp_path {{folder}}/scgi;
                server { listen 127.0.0.1:{{port}}; root {{scene.Folder}}; }
            }
            """);
        string program = File.Exists("/usr/sbin/nginx") ? "/usr/sbin/nginx" : "nginx";
        var nginx = new Nginx(Process.Start(program, ["-e", $"{folder}/error.log", "-p", folder, "-c", configuration]), port);
        for (int tries = 0; tries < 100; tries++)
        {
            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync(IPAddress.Loopback, port);
                return nginx;
            }
            catch (SocketException)
            {
                await Task.Delay(50);
            }
        }

        nginx.Dispose();
        throw new InvalidOperationException("nginx does not listen.");
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
