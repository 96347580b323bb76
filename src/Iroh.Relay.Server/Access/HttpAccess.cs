using System.Net;
using System.Net.Http.Headers;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Server.Access;

/// <summary>
/// Asks a web service about each client: a POST with the id in the header <c>X-Iroh-NodeId</c>. The client is let in if the answer is
/// 200 with the body <c>true</c> (iroh-relay server.rs); any other answer, or none, denies.
/// </summary>
public sealed class HttpAccess : AccessControl, IDisposable
{
    /// <summary>The environment variable with the bearer token for the service, in iroh's relay and here.</summary>
    public const string EnvironmentVariable = "IROH_RELAY_HTTP_BEARER_TOKEN";

    /// <summary>The header with the id.</summary>
    public const string IdHeader = "X-Iroh-NodeId";

    /// <summary>How long the service may take by default: less than a client waits for its connection, 10 s.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    // One byte more than "true" has tells whether there is more.
    private const int BodyLengthMax = 5;

    private readonly Uri _service;
    private readonly AuthenticationHeaderValue? _authorization;
    private readonly TimeSpan _timeout;
    private readonly HttpClient _client;

    /// <summary>Sets the service.</summary>
    /// <param name="service">An http or https URL.</param>
    /// <param name="bearerToken">Is shown to the service if given.</param>
    /// <param name="timeout">How long an answer may take; 5 s by default.</param>
    /// <param name="handler">Makes the requests; one with a connection pool of its own by default. Disposed with this object.</param>
    public HttpAccess(Uri service, string? bearerToken = null, TimeSpan? timeout = null, HttpMessageHandler? handler = null)
    {
        _service = service ?? throw new ArgumentNullException(nameof(service));
        _authorization = string.IsNullOrEmpty(bearerToken) ? null : new AuthenticationHeaderValue("Bearer", bearerToken);
        _timeout = timeout ?? DefaultTimeout;
        // A service that moves is to be found again: connections are not kept for ever.
        _client = new HttpClient(handler ?? new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(2), AllowAutoRedirect = false })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <inheritdoc/>
    public override async ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_timeout);
        try
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, _service);
            message.Headers.Add(IdHeader, request.Id.ToString());
            message.Headers.Authorization = _authorization;
            using HttpResponseMessage response =
                await _client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            return response.StatusCode == HttpStatusCode.OK && await IsTrueAsync(response.Content, limit.Token).ConfigureAwait(false)
                ? AccessDecision.Allowed
                : AccessDecision.Denied(RelayHandshake.NotAuthorized);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return AccessDecision.Denied("the service that decides about access did not answer in time");
        }
        catch (HttpRequestException)
        {
            return AccessDecision.Denied("the service that decides about access cannot be reached");
        }
        catch (IOException)
        {
            return AccessDecision.Denied("the service that decides about access gave no whole answer");
        }
    }

    /// <summary>Closes the connections to the service.</summary>
    public void Dispose() => _client.Dispose();

    private static async Task<bool> IsTrueAsync(HttpContent content, CancellationToken cancellationToken)
    {
        using Stream body = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        byte[] read = new byte[BodyLengthMax];
        int length = await body.ReadAtLeastAsync(read, read.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        return read.AsSpan(0, length).SequenceEqual("true"u8);
    }
}
