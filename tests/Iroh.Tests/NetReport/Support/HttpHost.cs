using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Iroh.Tests.NetReport.Support;

/// <summary>A small HTTP server on loopback: one answer a request, connections stay open.</summary>
internal sealed class HttpHost : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Func<HttpCall, string?> _answer;
    private readonly Task _loop;

    /// <param name="answer">The whole answer to a request; null: none ever.</param>
    public HttpHost(Func<HttpCall, string?> answer)
    {
        _answer = answer;
        _listener.Start();
        _loop = Task.Run(AcceptAsync);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public ConcurrentQueue<HttpCall> Calls { get; } = [];

    /// <summary>An answer with this status and these header lines.</summary>
    public static string Status(int status, string body = "", params string[] headers) =>
        $"HTTP/1.1 {status} Whatever\r\n{string.Concat(headers.Select(header => header + "\r\n"))}"
        + (status == 204 ? "\r\n" : $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");

    /// <summary>As a relay answers.</summary>
    public static string? Relay(HttpCall call) => call.Path switch
    {
        "/ping" => Status(200),
        "/generate_204" => Status(204, "", $"X-Iroh-Response: response {call.Header("X-Iroh-Challenge")}"),
        _ => Status(404),
    };

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _loop;
        await Task.WhenAll(_connections);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(_stopping.Token);
                _connections.Add(Task.Run(() => ServeAsync(socket)));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
        {
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            using var reader = new StreamReader(stream, Encoding.Latin1, false, 4096, leaveOpen: true);
            while (await reader.ReadLineAsync(_stopping.Token) is { Length: > 0 } line)
            {
                var headers = new List<string>();
                while (await reader.ReadLineAsync(_stopping.Token) is { Length: > 0 } header)
                    headers.Add(header);
                string[] words = line.Split(' ');
                var call = new HttpCall(words[0], words[1], headers, "");
                if (int.TryParse(call.Header("Content-Length"), out int length))
                {
                    char[] body = new char[length];
                    await reader.ReadBlockAsync(body, _stopping.Token);
                    call = call with { Body = new string(body) };
                }

                Calls.Enqueue(call);
                if (_answer(call) is { } answer)
                    await stream.WriteAsync(Encoding.UTF8.GetBytes(answer), _stopping.Token);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
        }
    }
}

/// <summary>A request.</summary>
internal sealed record HttpCall(string Method, string Path, IReadOnlyList<string> Headers, string Body)
{
    public string? Header(string name) =>
        Headers.FirstOrDefault(header => header.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
}
