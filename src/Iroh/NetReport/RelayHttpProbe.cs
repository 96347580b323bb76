using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using Iroh.Base;

namespace Iroh.NetReport;

/// <summary>Asks relays over HTTP: how far they are, and whether it is them who answer.</summary>
internal sealed class RelayHttpProbe : IDisposable
{
    private const string ChallengeHeader = "X-Iroh-Challenge", ResponseHeader = "X-Iroh-Response";

    // A relay with TLS answers the question for a captive portal on the port of plain HTTP.
    private const int PlainPort = 80;

    // A request that fails at once (a relay that restarts) is repeated; three in the time that one has.
    private const int TriesMax = 3;
    private static readonly TimeSpan s_retryPause = TimeSpan.FromMilliseconds(100);

    private readonly HttpMessageInvoker _invoker;
    private readonly TimeProvider _time;

    /// <summary>Makes the client.</summary>
    public RelayHttpProbe(NetReporterOptions options)
    {
        _time = options.Time;
        _invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            // The way that the connection to the relay takes, and no other.
            UseProxy = options.Proxy is not null,
            Proxy = options.Proxy is { } proxy ? new WebProxy(proxy) : null,
            // The second request of a measurement uses the connection of the first; the next report's shall not.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(2),
            MaxResponseDrainSize = 4096,
            MaxResponseHeadersLength = 16,
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = options.CertificateValidation },
        });
    }

    /// <summary>Measures how long a request to <c>/ping</c> takes: first with its connection, then without.</summary>
    /// <param name="relay">The relay.</param>
    /// <param name="onMeasured">Called with each measurement, and whether it is the last one.</param>
    /// <param name="cancellationToken">Ends the measurement.</param>
    /// <exception cref="ProbeException">The relay cannot be reached or does not answer as a relay does.</exception>
    public async Task MeasureAsync(RelayConfiguration relay, Action<TimeSpan, bool> onMeasured, CancellationToken cancellationToken)
    {
        Uri address = AddressOf(relay.Url, "ping").Uri;
        for (int i = 1; ; i++)
        {
            try
            {
                onMeasured(await PingAsync(relay.Url, address, cancellationToken).ConfigureAwait(false), false);
                break;
            }
            catch (ProbeException) when (i < TriesMax)
            {
                await Task.Delay(s_retryPause, _time, cancellationToken).ConfigureAwait(false);
            }
        }

        onMeasured(await PingAsync(relay.Url, address, cancellationToken).ConfigureAwait(false), true);
    }

    /// <summary>Whether somebody else answers in the relay's name.</summary>
    /// <exception cref="ProbeException">Nobody answers.</exception>
    public async Task<bool> IsCaptivePortalAsync(RelayConfiguration relay, CancellationToken cancellationToken)
    {
        UriBuilder address = AddressOf(relay.Url, "generate_204");
        if (address.Scheme == Uri.UriSchemeHttps)
            (address.Scheme, address.Port) = (Uri.UriSchemeHttp, PlainPort);
        string challenge = "ts_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        using var request = new HttpRequestMessage(HttpMethod.Get, address.Uri);
        request.Headers.Add(ChallengeHeader, challenge);
        using HttpResponseMessage response = await SendAsync(relay.Url, request, cancellationToken).ConfigureAwait(false);
        return response.StatusCode != HttpStatusCode.NoContent
            || !response.Headers.TryGetValues(ResponseHeader, out IEnumerable<string>? values)
            || values.FirstOrDefault() != $"response {challenge}";
    }

    /// <inheritdoc/>
    public void Dispose() => _invoker.Dispose();

    private async Task<TimeSpan> PingAsync(RelayUrl relay, Uri address, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.Accept.ParseAdd("*/*");
        long start = _time.GetTimestamp();
        using HttpResponseMessage response = await SendAsync(relay, request, cancellationToken).ConfigureAwait(false);
        TimeSpan elapsed = _time.GetElapsedTime(start);
        if (!response.IsSuccessStatusCode)
            throw new ProbeException($"{relay} answered a ping with HTTP status {(int)response.StatusCode}; a relay answers 200. Is the URL right?");
        return elapsed > TimeSpan.Zero ? elapsed : TimeSpan.FromTicks(1);
    }

    private async Task<HttpResponseMessage> SendAsync(RelayUrl relay, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await _invoker.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException exception)
        {
            throw new ProbeException($"{relay} cannot be reached: {exception.Message}", exception);
        }
    }

    private static UriBuilder AddressOf(RelayUrl relay, string path) => new(relay.Uri)
    {
        Scheme = relay.Uri.Scheme is "https" or "wss" ? Uri.UriSchemeHttps : Uri.UriSchemeHttp,
        Port = relay.Uri.Port,
        Path = "/" + path,
        Query = "",
    };
}
