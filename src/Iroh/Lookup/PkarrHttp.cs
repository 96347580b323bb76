using System.Net;
using Iroh.Base;
using Iroh.Dns.Pkarr;

namespace Iroh.Lookup;

/// <summary>Puts and gets signed packets at one server: <c>URL/{id in z-base-32}</c>.</summary>
internal sealed class PkarrHttp
{
    // A server that has not answered by then will not.
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(10);

    private static readonly Lazy<HttpClient> s_shared = new(() => new HttpClient(new SocketsHttpHandler
    {
        // Names of servers move; connections must not outlive that for long.
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    });

    private readonly string _base;
    private readonly HttpClient _http;
    private readonly TimeProvider _time;

    public PkarrHttp(Uri url, HttpClient? http, TimeProvider time)
    {
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https"))
            throw new ArgumentException($"'{url}' is not the URL of a pkarr server: expected one such as {N0Services.PkarrUrl}.", nameof(url));
        _base = url.AbsoluteUri.TrimEnd('/');
        _http = http ?? Shared;
        _time = time;
    }

    /// <summary>The client of everybody who brings none; it lives as long as the process.</summary>
    public static HttpClient Shared => s_shared.Value;

    /// <summary>Puts a packet.</summary>
    /// <exception cref="PkarrHttpException">It was not taken.</exception>
    public async Task PutAsync(PkarrPacket packet, CancellationToken cancellationToken)
    {
        using var content = new ReadOnlyMemoryContent(packet.Payload);
        using var request = new HttpRequestMessage(HttpMethod.Put, UrlOf(packet.Id)) { Content = content };
        using HttpResponseMessage response = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
            throw Refused(response);
    }

    /// <summary>The newest packet of an endpoint; null if the server has none.</summary>
    /// <exception cref="PkarrHttpException">The server did not answer, or with something else.</exception>
    public async Task<PkarrPacket?> GetAsync(EndpointId id, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, UrlOf(id));
        using HttpResponseMessage response = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        if (!response.IsSuccessStatusCode)
            throw Refused(response);
        byte[] payload = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        return PkarrPacket.TryRead(id, payload, out PkarrPacket? packet, out string? problem)
            ? packet
            : throw new PkarrHttpException($"{_base} answered with a packet that cannot be used: {problem}", null, null);
    }

    private string UrlOf(EndpointId id) => $"{_base}/{id.ToZBase32()}";

    /// <summary>Sends a request and reads the whole answer, which is short, within the time limit.</summary>
    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(s_timeout, _time);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stopping.Token).ConfigureAwait(false);
            try
            {
                // Long enough for any packet and for what a server says in its defence.
                await response.Content.LoadIntoBufferAsync(64 * 1024, stopping.Token).ConfigureAwait(false);
                return response;
            }
            catch
            {
                response.Dispose();
                throw;
            }
        }
        catch (HttpRequestException exception)
        {
            throw new PkarrHttpException($"{_base} cannot be reached: {exception.Message}", null, exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PkarrHttpException($"{_base} did not answer within {s_timeout.TotalSeconds:0} s.", null, exception);
        }
    }

    private PkarrHttpException Refused(HttpResponseMessage response) => new(
        $"{_base} answered {(int)response.StatusCode} ({response.ReasonPhrase}).",
        response.Headers.RetryAfter?.Delta,
        null);
}

/// <summary>A request to a pkarr server that failed.</summary>
internal sealed class PkarrHttpException(string message, TimeSpan? retryAfter, Exception? inner) : Exception(message, inner)
{
    /// <summary>How long the server asked to wait; null if it did not.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}
