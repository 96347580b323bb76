using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Sockets;
using Google.Protobuf;

namespace Blixard.Rpc.Grpc;

/// <summary>Whom a <see cref="GrpcCaller"/> calls, and who it says it is.</summary>
public sealed record GrpcCallerOptions
{
    /// <summary>The server as "host:port"; null with <see cref="UnixSocketPath"/>.</summary>
    public string? Address { get; init; }

    /// <summary>The unix socket of a node, or of another program, on this machine, instead of <see cref="Address"/>; of any
    /// length (see <see cref="UnixSocketAddress"/>). A call fails at once when nobody serves it.</summary>
    public string? UnixSocketPath { get; init; }

    /// <summary>The endpoint id (32 bytes) that the server must prove with its node certificate.</summary>
    public ReadOnlyMemory<byte>? ExpectedEndpointId { get; init; }

    /// <summary>For servers that are no nodes, when <see cref="ExpectedEndpointId"/> is null: decides about the server's
    /// certificate; null = the system's roots.</summary>
    public RemoteCertificateValidationCallback? ServerCertificateValidation { get; init; }

    /// <summary>The certificate to show; null = call as nobody. Not owned.</summary>
    public NodeCertificateSource? Certificate { get; init; }

    /// <summary>How long making a connection to <see cref="Address"/> may take; default 5 s: three lost SYNs, after which another transport is
    /// tried. A unix socket connects or refuses by itself.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Calls a peer with gRPC over HTTP/2. Thread-safe; keeps connections open between calls.</summary>
public sealed class GrpcCaller : RpcCaller, IDisposable
{
    // A connection whose peer vanished without a word is noticed after both of these, also while no call is under way: calls that
    // come after it make a new one instead of waiting on the dead one.
    private static readonly TimeSpan KeepAliveDelay = TimeSpan.FromSeconds(3), KeepAliveTimeout = TimeSpan.FromSeconds(2);

    // What one call may send us unread: a tunnel on a line of 100 Mbit/s with a round trip of 80 ms is not held up.
    private const int StreamWindowBytes = 1024 * 1024;

    private readonly HttpMessageInvoker _http;
    private readonly Uri _base;

    /// <summary>A caller; nothing is connected before the first call.</summary>
    /// <param name="options">Whom to call.</param>
    /// <param name="time">The clock for deadlines and for validity dates of certificates.</param>
    /// <param name="metrics">Where calls are counted; null = nowhere.</param>
    /// <exception cref="ArgumentException">Neither or both of address and socket are given, the address is none, or the id has not 32
    /// bytes.</exception>
    public GrpcCaller(GrpcCallerOptions options, TimeProvider time, RpcMetrics? metrics = null)
        : base(options?.UnixSocketPath is null ? RpcTransport.Grpc : RpcTransport.Local, time, metrics)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Address is null == options.UnixSocketPath is null)
            throw new ArgumentException("give an address or a unix socket", nameof(options));
        if (options.ExpectedEndpointId is { Length: not RpcLimits.EndpointIdLength })
            throw new ArgumentException("an endpoint id has 32 bytes", nameof(options));
        string server = options.UnixSocketPath is null ? $"https://{options.Address}" : $"http://{NodeCertificate.DnsName}";
        if (!Uri.TryCreate(server, UriKind.Absolute, out Uri? uri) || uri.PathAndQuery != "/")
            throw new ArgumentException($"'{options.Address}' is no host:port", nameof(options));
        _base = uri;
        _http = new HttpMessageInvoker(Handler(options, time));
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private protected override ClientCall Create(RpcMethod method, RpcCallOptions options, CancellationToken cancellationToken) =>
        new GrpcClientCall(_http, _base, method, options, Time, cancellationToken);

    private static SocketsHttpHandler Handler(GrpcCallerOptions options, TimeProvider time)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = StreamWindowBytes,
        };
        if (options.UnixSocketPath is { } path)
        {
            // The kernel tells at once when the other end is gone; a busy machine is no reason to give it up.
            handler.ConnectCallback = async (_, token) => await UnixSocketAddress.ConnectAsync(path, token).ConfigureAwait(false);
            return handler;
        }

        handler.ConnectTimeout = options.ConnectTimeout;
        handler.KeepAlivePingDelay = KeepAliveDelay;
        handler.KeepAlivePingTimeout = KeepAliveTimeout;
        handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always;
        handler.SslOptions.AllowTlsResume = false;
        if (options.Certificate is { } certificate)
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate.Current;
        if (options.ExpectedEndpointId is { } expected)
            handler.SslOptions.RemoteCertificateValidationCallback = (_, shown, _, _) => shown is X509Certificate2 certificate
                && NodeCertificate.TryVerify(certificate, time.GetUtcNow(), out byte[] id, out _)
                && expected.Span.SequenceEqual(id);
        else if (options.ServerCertificateValidation is { } validate)
            handler.SslOptions.RemoteCertificateValidationCallback = validate;
        return handler;
    }
}

/// <summary>A gRPC call.</summary>
internal sealed class GrpcClientCall(
    HttpMessageInvoker http, Uri server, RpcMethod method, RpcCallOptions options, TimeProvider time, CancellationToken cancelled)
    : ClientCall(method, options, time, cancelled)
{
    private readonly CancellationTokenSource _abort = new();
    private CancellationTokenSource? _linked;
    private HttpResponseMessage? _response;
    private GrpcMessageReader? _reader;
    private bool _statusInHeaders;

    protected override async Task StartCoreAsync(IMessage? request, IAsyncEnumerable<IMessage>? requests)
    {
        _linked = CancellationTokenSource.CreateLinkedTokenSource(_abort.Token, Deadline.Token);
        var message = new HttpRequestMessage(HttpMethod.Post, new Uri(server, Method.Path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new GrpcRequestContent(this, request, requests, _linked.Token),
        };
        message.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        message.Headers.TryAddWithoutValidation("user-agent", "grpc-blixard/1");
        if (Deadline.Remaining is { } left)
            message.Headers.TryAddWithoutValidation(GrpcWire.TimeoutHeader, GrpcWire.WriteTimeout(left));
        foreach (KeyValuePair<string, ReadOnlyMemory<byte>> entry in Options.Metadata)
            message.Headers.TryAddWithoutValidation(entry.Key, GrpcWire.ToHeaderValue(entry.Key, entry.Value));

        Stage = RpcFailureStage.AwaitingResponse;
        _response = await http.SendAsync(message, _linked.Token).ConfigureAwait(false);
        if (_response.StatusCode != HttpStatusCode.OK && !HasStatus(_response.Headers))
            throw new RpcException(CodeOf(_response.StatusCode), $"{Method}: the server answered with HTTP status {(int)_response.StatusCode}", StageOfFailure);
        if (HasStatus(_response.Headers))
        {
            _statusInHeaders = true;
            return;
        }
        if (!GrpcWire.IsGrpc(_response.Content.Headers.ContentType?.ToString()))
            throw Violation($"answered with content type {_response.Content.Headers.ContentType}");
        if (_response.Headers.TryGetValues(GrpcWire.EncodingHeader, out IEnumerable<string>? encoding) && encoding.Any(e => e != "identity"))
            throw Violation("compresses its messages, which was not agreed");
        _reader = new GrpcMessageReader(await _response.Content.ReadAsStreamAsync(_linked.Token).ConfigureAwait(false));
    }

    protected override async ValueTask<ReadOnlyMemory<byte>?> ReadCoreAsync(CancellationToken cancellationToken)
    {
        if (_statusInHeaders)
        {
            ThrowUnlessOk(_response!.Headers);
            return null;
        }
        if (await _reader!.ReadAsync(StageOfFailure, _linked!.Token).ConfigureAwait(false) is { } message)
            return message;
        if (!HasStatus(_response!.TrailingHeaders))
            throw Violation("ended the call without a status");
        ThrowUnlessOk(_response.TrailingHeaders);
        return null;
    }

    protected override void Abort()
    {
        try
        {
            _abort.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The call has ended in the same moment.
        }
    }

    protected override ValueTask DisposeCoreAsync()
    {
        // Requests that are still being sent end with the call; a response that has not ended is reset (CANCEL).
        _abort.Cancel();
        _response?.Dispose();
        _reader?.Dispose();
        _linked?.Dispose();
        _abort.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override RpcException ToTransportFailure(Exception e)
    {
        RpcFailureStage stage = StageOfFailure;
        if (e is HttpRequestException
            {
                HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
                    or HttpRequestError.SecureConnectionError or HttpRequestError.VersionNegotiationError
            } && _response is null)
            stage = RpcFailureStage.NotSent;
        RpcStatusCode code = RpcStatusCode.Unavailable;
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
        {
            if (cause is HttpProtocolException { ErrorCode: var reset })
            {
                code = CodeOfReset(reset);
                // RFC 9113 §8.7: a refused stream was not processed.
                if (reset == 7)
                    stage = RpcFailureStage.NotSent;
            }
        }
        // Most messages of HttpClient repeat their cause's.
        string what = e.InnerException is { } inner && !e.Message.Contains(inner.Message, StringComparison.Ordinal) ? $"{e.Message} ({inner.Message})" : e.Message;
        return new RpcException(code, $"{Method}: {what}", stage, default, e);
    }

    // The mapping of the specification for answers that did not come from a gRPC server.
    private static RpcStatusCode CodeOf(HttpStatusCode status) => (int)status switch
    {
        400 => RpcStatusCode.Internal,
        401 => RpcStatusCode.Unauthenticated,
        403 => RpcStatusCode.PermissionDenied,
        404 => RpcStatusCode.Unimplemented,
        429 or 502 or 503 or 504 => RpcStatusCode.Unavailable,
        _ => RpcStatusCode.Unknown,
    };

    // And for streams that were reset (error codes of RFC 9113 §7).
    private static RpcStatusCode CodeOfReset(long code) => code switch
    {
        7 => RpcStatusCode.Unavailable, // REFUSED_STREAM
        8 => RpcStatusCode.Cancelled, // CANCEL
        11 => RpcStatusCode.ResourceExhausted, // ENHANCE_YOUR_CALM
        12 => RpcStatusCode.PermissionDenied, // INADEQUATE_SECURITY
        _ => RpcStatusCode.Internal,
    };

    private static bool HasStatus(HttpResponseHeaders headers) => headers.Contains(GrpcWire.StatusTrailer);

    private static string? First(HttpResponseHeaders headers, string name) =>
        headers.TryGetValues(name, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;

    private static void ThrowUnlessOk(HttpResponseHeaders headers)
    {
        RpcStatusCode code = int.TryParse(First(headers, GrpcWire.StatusTrailer), out int number)
            ? RpcStatus.CodeOf(number)
            : RpcStatusCode.Unknown;
        if (code == RpcStatusCode.Ok)
            return;
        byte[] details = [];
        if (First(headers, GrpcWire.DetailsTrailer) is { } text)
            GrpcWire.TryReadBase64(text, out details);
        throw Answered(code, GrpcWire.DecodeMessage(First(headers, GrpcWire.MessageTrailer) ?? ""), details);
    }

    // The body of a request: one message, or one after the other as the caller's enumeration brings them.
    private sealed class GrpcRequestContent : HttpContent
    {
        private readonly GrpcClientCall _call;
        private readonly IMessage? _request;
        private readonly IAsyncEnumerable<IMessage>? _requests;
        private readonly CancellationToken _ended;

        public GrpcRequestContent(
            GrpcClientCall call, IMessage? request, IAsyncEnumerable<IMessage>? requests, CancellationToken ended)
        {
            _call = call;
            _request = request;
            _requests = requests;
            _ended = ended;
            Headers.ContentType = new MediaTypeHeaderValue(GrpcWire.ContentType);
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            if (_request is not null)
            {
                await WriteAsync(stream, _request, cancellationToken).ConfigureAwait(false);
                return;
            }
            // Headers go out at once, so that the peer's answer does not wait for the first request.
            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
            IAsyncEnumerator<IMessage> source = _requests!.GetAsyncEnumerator(_ended);
            try
            {
                while (await NextAsync(source).ConfigureAwait(false))
                    await WriteAsync(stream, source.Current, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                await source.DisposeAsync().ConfigureAwait(false);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _request is null ? 0 : GrpcWire.PrefixLength + _request.CalculateSize();
            return _request is not null;
        }

        private async ValueTask WriteAsync(Stream stream, IMessage message, CancellationToken cancellationToken)
        {
            int length = message.CalculateSize();
            await GrpcWire.WriteMessageAsync(stream, message, length, cancellationToken).ConfigureAwait(false);
            _call.BytesSent += length;
        }

        // As in the frame protocol: the failure of the caller's own enumeration ends the call with that exception.
        private async ValueTask<bool> NextAsync(IAsyncEnumerator<IMessage> source)
        {
            try
            {
                if (!await source.MoveNextAsync().ConfigureAwait(false))
                    return false;
                int length = source.Current.CalculateSize();
                return length <= RpcLimits.MessageLengthMax ? true : throw TooLong(length);
            }
            catch (Exception e) when (!_ended.IsCancellationRequested)
            {
                _call.RequestsFailure = e;
                _call.Abort();
                throw;
            }
        }
    }
}
