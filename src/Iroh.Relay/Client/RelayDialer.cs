using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Iroh.Relay.Protocol;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Client;

/// <summary>Makes the stream to a relay up to and with the WebSocket upgrade: DNS, TCP, proxy, TLS, HTTP.</summary>
internal static class RelayDialer
{
    // The most of a refused request's body that is shown: a sentence.
    private const int SnippetLengthMax = 200;

    /// <summary>Dials.</summary>
    /// <param name="options">Whom and how.</param>
    /// <param name="cancellationToken">Set when time is up, too.</param>
    /// <returns>A stream after the upgrade, which the caller owns.</returns>
    /// <exception cref="RelayConnectException">It failed.</exception>
    public static async Task<RelayDialed> DialAsync(RelayClientOptions options, CancellationToken cancellationToken)
    {
        Socket socket = await ConnectAsync(options, cancellationToken).ConfigureAwait(false);
        Stream stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            if (options.Proxy is not null)
                await TunnelAsync(options, stream, cancellationToken).ConfigureAwait(false);
            if (options.Url.Uri.Scheme is "https" or "wss")
                stream = await SecureAsync(options, stream, cancellationToken).ConfigureAwait(false);
            string key = WebSocketUpgrade.NewKey();
            await stream.WriteAsync(WebSocketUpgrade.Request(options.Url.Uri, key, options.Token), cancellationToken).ConfigureAwait(false);
            (byte[] head, byte[] behind) = await ReadHeadAsync(options, stream, "The relay", cancellationToken).ConfigureAwait(false);
            if (!WebSocketUpgrade.TryReadResponse(head, key, out RelayVersion version, out int status, out string? problem))
                throw Failure(
                    options,
                    status is 401 or 403 ? RelayFailure.Denied : RelayFailure.NotARelay,
                    $"{options.Url} is no usable relay: {problem}{Snippet(behind)}");
            return new RelayDialed(stream, version, behind, socket.LocalEndPoint as IPEndPoint, socket.RemoteEndPoint as IPEndPoint);
        }
        catch (Exception exception)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            if (exception is IOException or SocketException)
                throw Failure(options, RelayFailure.Unreachable, $"The relay {options.Url} ended the connection: {exception.Message}", exception);
            throw;
        }
    }

    private static RelayConnectException Failure(RelayClientOptions options, RelayFailure failure, string message, Exception? inner = null) =>
        new(options.Url, failure, message, inner);

    private static async Task<Socket> ConnectAsync(RelayClientOptions options, CancellationToken cancellationToken)
    {
        Uri target = options.Proxy ?? options.Url.Uri;
        string who = options.Proxy is null ? $"the relay {options.Url}" : $"the proxy {target.Authority} on the way to {options.Url}";
        try
        {
            IPAddress[] addresses = await ResolveAsync(options, target, cancellationToken).ConfigureAwait(false);
            return await HappyEyeballs
                .ConnectAsync(HappyEyeballs.Order(addresses), target.Port, options.TimeProvider, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (SocketException exception)
        {
            throw Failure(options, RelayFailure.Unreachable, $"Cannot reach {who}: {exception.Message}", exception);
        }
    }

    private static async Task<IPAddress[]> ResolveAsync(RelayClientOptions options, Uri target, CancellationToken cancellationToken)
    {
        string host = target.DnsSafeHost;
        if (IPAddress.TryParse(host, out IPAddress? literal))
            return [literal];
        if (options.Resolve is { } resolve)
            return await resolve(host, cancellationToken).ConfigureAwait(false);
        // A trailing dot keeps search domains out. The one name that the operating system does not know in this form is its own.
        if (host.Equals("localhost.", StringComparison.OrdinalIgnoreCase))
            host = "localhost";
        return await Dns.GetHostAddressesAsync(host, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<Stream> SecureAsync(RelayClientOptions options, Stream stream, CancellationToken cancellationToken)
    {
        var secure = new SslStream(stream);
        try
        {
            var tls = new SslClientAuthenticationOptions
            {
                // The name in a certificate has no trailing dot, and neither has SNI (RFC 6066 §3).
                TargetHost = options.Url.Uri.IdnHost.TrimEnd('.'),
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                RemoteCertificateValidationCallback = options.CertificateValidation,
            };
            await secure.AuthenticateAsClientAsync(tls, cancellationToken).ConfigureAwait(false);
            return secure;
        }
        catch (Exception exception) when (exception is AuthenticationException or IOException)
        {
            throw Failure(options, RelayFailure.TlsFailed, $"No TLS connection to the relay {options.Url}: {exception.Message}", exception);
        }
    }

    // RFC 9110 §9.3.6
    private static async Task TunnelAsync(RelayClientOptions options, Stream stream, CancellationToken cancellationToken)
    {
        Uri url = options.Url.Uri;
        string host = url.HostNameType == UriHostNameType.IPv6 ? $"[{url.DnsSafeHost}]" : url.IdnHost;
        string authority = $"{host}:{url.Port}";
        string request = $"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n";
        if (options.Proxy!.UserInfo is { Length: > 0 } user)
            request += $"Proxy-Authorization: Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(user)))}\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request + "\r\n"), cancellationToken).ConfigureAwait(false);
        (byte[] head, byte[] behind) = await ReadHeadAsync(options, stream, "The proxy", cancellationToken).ConfigureAwait(false);
        int status = WebSocketUpgrade.StatusOf(Encoding.Latin1.GetString(head).Split("\r\n")[0]);
        if (status is < 200 or > 299 || behind.Length > 0)
            throw Failure(
                options, RelayFailure.Unreachable, $"The proxy {options.Proxy.Authority} does not connect to {options.Url}: HTTP status {status}{Snippet(behind)}");
    }

    // Reads up to and with the empty line; then what came behind it.
    private static async Task<(byte[] Head, byte[] Behind)> ReadHeadAsync(
        RelayClientOptions options, Stream stream, string who, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[WebSocketUpgrade.HeadLengthMax];
        int length = 0;
        while (true)
        {
            if (length == buffer.Length)
                throw Failure(options, RelayFailure.NotARelay, $"{who} {options.Url} answers with more than {length} bytes of HTTP header");
            int count = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken).ConfigureAwait(false);
            if (count == 0)
                throw Failure(options, RelayFailure.Unreachable, $"{who} ended the connection before it answered ({options.Url})");
            length += count;
            int end = buffer.AsSpan(0, length).IndexOf(WebSocketUpgrade.HeadEnd);
            if (end < 0)
                continue;
            end += WebSocketUpgrade.HeadEnd.Length;
            return (buffer[..end], buffer[end..length]);
        }
    }

    private static string Snippet(byte[] body)
    {
        string text = new([.. Encoding.UTF8.GetString(body).Where(character => !char.IsControl(character)).Take(SnippetLengthMax)]);
        return text.Length == 0 ? "" : $": {text}";
    }
}

/// <summary>A stream after the upgrade.</summary>
/// <param name="Stream">Owned by whoever holds this.</param>
/// <param name="Version">What was agreed on.</param>
/// <param name="Received">Bytes that came right behind the upgrade's answer.</param>
/// <param name="Local">This end of the TCP connection.</param>
/// <param name="Remote">Its other end: the relay's or the proxy's.</param>
internal sealed record RelayDialed(Stream Stream, RelayVersion Version, byte[] Received, IPEndPoint? Local, IPEndPoint? Remote);
