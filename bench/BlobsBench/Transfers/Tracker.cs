using System.Globalization;
using System.Net;
using System.Text;

namespace BlobsBench.Transfers;

/// <summary>A tracker for one torrent on loopback (BEP 3, BEP 23): tells peers of each other, and hears when they have everything.</summary>
internal sealed class Tracker : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Lock _lock = new();
    private readonly List<int> _ports = [];
    private readonly HashSet<int> _completed = [];
    private readonly int _port = Nginx.FreePort();

    public Tracker()
    {
        _listener.Prefixes.Add($"http://127.0.0.1:{_port}/");
        _listener.Start();
        _ = Task.Run(ServeAsync);
    }

    public string AnnounceUrl => $"http://127.0.0.1:{_port}/announce";

    /// <summary>What the peer that came first says it has sent.</summary>
    public long UploadedByFirst { get; private set; }

    public Task WaitForPeersAsync(int count) => WaitAsync(() => _ports.Count >= count);

    /// <summary>Waits until so many have everything, besides the first.</summary>
    public Task WaitForCompletedAsync(int count) => WaitAsync(() => _completed.Count(port => port != _ports[0]) >= count);

    public void Dispose() => _listener.Close();

    private async Task WaitAsync(Func<bool> condition)
    {
        while (true)
        {
            lock (_lock)
            {
                if (condition())
                    return;
            }

            await Task.Delay(5);
        }
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                HttpListenerContext context = await _listener.GetContextAsync();
                byte[] reply = Answer(context.Request);
                await context.Response.OutputStream.WriteAsync(reply);
                context.Response.Close();
            }
        }
        catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
        {
            // Closed.
        }
    }

    private byte[] Answer(HttpListenerRequest request)
    {
        int port = int.Parse(request.QueryString["port"]!, CultureInfo.InvariantCulture);
        lock (_lock)
        {
            if (!_ports.Contains(port))
                _ports.Add(port);
            if (request.QueryString["left"] == "0")
                _completed.Add(port);
            if (port == _ports[0])
                UploadedByFirst = Math.Max(UploadedByFirst, long.Parse(request.QueryString["uploaded"]!, CultureInfo.InvariantCulture));
            var peers = new MemoryStream();
            foreach (int other in _ports.Where(other => other != port))
                peers.Write([127, 0, 0, 1, (byte)(other >> 8), (byte)other]);
            return [.. Encoding.ASCII.GetBytes($"d8:intervali1e12:min intervali1e5:peers{peers.Length}:"), .. peers.ToArray(), (byte)'e'];
        }
    }
}
