using System.Net;
using System.Text;
using Blixard.Rpc.Sockets;

namespace Blixard.Etcd.Client;

/// <summary>Reads GET /metrics of a member, HTTP/1.1 on its clients' socket. Thread-safe.</summary>
internal sealed class EtcdMetricsPage : IDisposable
{
    /// <summary>The longest page that is taken, in bytes: etcd's has about 100 KiB and grows with the number of its peers.</summary>
    public const int LengthMax = 4 * 1024 * 1024;

    private readonly HttpMessageInvoker _http;
    private readonly TimeProvider _time;

    internal EtcdMetricsPage(string socketPath, TimeProvider time)
    {
        _time = time;
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectCallback = async (_, token) => await UnixSocketAddress.ConnectAsync(socketPath, token).ConfigureAwait(false),
        });
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    internal async Task<string> ReadAsync(CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(EtcdCallOptions.DefaultTimeout, _time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "http://etcd/metrics");
            using HttpResponseMessage response = await _http.SendAsync(request, ended.Token).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.OK)
                throw new EtcdException(EtcdErrorKind.Other, $"etcd answered GET /metrics with HTTP status {(int)response.StatusCode}");
            return await ReadTextAsync(await response.Content.ReadAsStreamAsync(ended.Token).ConfigureAwait(false), ended.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new EtcdException(EtcdErrorKind.Unreachable, $"etcd's numbers cannot be read: {e.Message}", inner: e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EtcdException(EtcdErrorKind.TimedOut, "etcd did not show its numbers in time", inner: e);
        }
    }

    private static async Task<string> ReadTextAsync(Stream body, CancellationToken cancellationToken)
    {
        using var text = new MemoryStream();
        byte[] piece = new byte[16 * 1024];
        while (await body.ReadAsync(piece, cancellationToken).ConfigureAwait(false) is var count and > 0)
        {
            if (text.Length + count > LengthMax)
                throw new EtcdException(EtcdErrorKind.TooLarge, $"etcd's numbers have more than {LengthMax} bytes");
            text.Write(piece, 0, count);
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }
}
