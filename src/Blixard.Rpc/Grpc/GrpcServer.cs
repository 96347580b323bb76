using System.IO.Pipelines;
using System.Net;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Hosting;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Services;
using Google.Protobuf;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Blixard.Rpc.Grpc;

/// <summary>Where gRPC is served.</summary>
public sealed record GrpcServerOptions
{
    /// <summary>Address and port for HTTP/2 with TLS; port 0 = any free one; null = not served on TCP.</summary>
    public IPEndPoint? Address { get; init; }

    /// <summary>The certificate to show; needed with <see cref="Address"/>. Not owned.</summary>
    public NodeCertificateSource? Certificate { get; init; }

    /// <summary>A unix socket for HTTP/2 without TLS, whose callers count as <see cref="RpcTransport.Local"/>; its file is made
    /// with mode 0600, and its folder must not be writable by others. A file that is there is taken for the remains of a process
    /// that was killed, and replaced: the caller makes sure that no other process serves it. Null = none.</summary>
    public string? UnixSocketPath { get; init; }
}

/// <summary>Serves the node's services as gRPC on HTTP/2. The wire format is the gRPC project's: any gRPC client can call.</summary>
/// <remarks>Callers with a node certificate are that node; callers without a certificate are nobody, and the authorizer decides
/// what is open to them; any other certificate ends the handshake.</remarks>
public sealed class GrpcServer : IAsyncDisposable
{
    // Bodies of calls have no end while a watch is open, and may be silent for long: Kestrel's limits on size and
    // rate of bodies are off; ours are per message. Keep-alive pings find dead peers.
    private static readonly TimeSpan KeepAliveDelay = TimeSpan.FromSeconds(5), KeepAliveTimeout = TimeSpan.FromSeconds(5);

    // What one call, and all calls of a connection together, may send us unread: a tunnel on a line of 100 Mbit/s with a round trip of
    // 80 ms is not held up, and a few that nobody reads leave room for the others.
    private const int StreamWindowBytes = 1024 * 1024, ConnectionWindowBytes = 8 * 1024 * 1024;

    // Connections at a time: every member, some hundred clients, and room; each holds TLS state of some ten KiB.
    private const long ConnectionsMax = 1024;

    private readonly OwnedWebServer _server;

    private GrpcServer(OwnedWebServer server, IPEndPoint? localAddress)
    {
        _server = server;
        LocalAddress = localAddress;
    }

    /// <summary>The bound address; null when TCP is not served.</summary>
    public IPEndPoint? LocalAddress { get; }

    /// <summary>Binds and serves.</summary>
    /// <param name="options">Where.</param>
    /// <param name="dispatcher">What.</param>
    /// <param name="loggers">Gets Kestrel's messages.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="IOException">An address is in use or cannot be bound.</exception>
    public static async Task<GrpcServer> StartAsync(
        GrpcServerOptions options, RpcDispatcher dispatcher, ILoggerFactory loggers, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        RpcTransport Transport(HttpContext context) =>
            context.Features.Get<ITlsHandshakeFeature>() is null ? RpcTransport.Local : RpcTransport.Grpc;
        OwnedWebServer server = await OwnedWebServer.StartAsync(
            kestrel => Configure(kestrel, options), context => HandleAsync(context, dispatcher, Transport(context)), loggers,
            cancellationToken).ConfigureAwait(false);
        try
        {
            if (options.UnixSocketPath is { } path && !OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
        catch (Exception)
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        return new GrpcServer(server, options.Address is { } wanted ? server.Bound(wanted) : null);
    }

    /// <summary>Gives running calls up and closes all connections.</summary>
    public ValueTask DisposeAsync() => _server.DisposeAsync();

    /// <summary>Serves one HTTP request as a call; for hosts that serve gRPC beside other things on their own Kestrel.</summary>
    /// <param name="context">The request.</param>
    /// <param name="dispatcher">The services.</param>
    /// <param name="transport">As what the caller counts.</param>
    public static async Task HandleAsync(HttpContext context, RpcDispatcher dispatcher, RpcTransport transport)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(dispatcher);
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return;
        }
        if (!GrpcWire.IsGrpc(context.Request.ContentType))
        {
            context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        // Streams of requests have no end to be limited by; each message is.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body)
            body.MaxRequestBodySize = null;
        context.Response.ContentType = GrpcWire.ContentType;
        if (!TryReadHead(context.Request, out RpcRequestHead? head, out RpcStatus status))
        {
            Finish(context, status);
            return;
        }
        RpcPeer peer = PeerOf(context, dispatcher.Time, transport);
        using var exchange = new GrpcServerExchange(context);
        status = await dispatcher.ServeAsync(head, exchange, peer, context.RequestAborted).ConfigureAwait(false);
        if (!context.RequestAborted.IsCancellationRequested)
            Finish(context, status);
    }

    private static void Configure(KestrelServerOptions kestrel, GrpcServerOptions options)
    {
        kestrel.Limits.MaxConcurrentConnections = ConnectionsMax;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.Http2.KeepAlivePingDelay = KeepAliveDelay;
        kestrel.Limits.Http2.KeepAlivePingTimeout = KeepAliveTimeout;
        kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindowBytes;
        kestrel.Limits.Http2.InitialConnectionWindowSize = ConnectionWindowBytes;
        if (options.Address is { } address)
        {
            NodeCertificateSource certificate = options.Certificate
                ?? throw new ArgumentException("gRPC on TCP needs a certificate", nameof(options));
            kestrel.Listen(address, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseHttps(https =>
                {
                    https.ServerCertificateSelector = (_, _) => certificate.Current;
                    https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                    https.ClientCertificateValidation = (shown, _, _) =>
                        NodeCertificate.TryVerify(shown, certificate.Time.GetUtcNow(), out byte[] _, out string _);
                    // A resumed session would bring no certificate, and so no identity.
                    https.OnAuthenticate = (_, ssl) => ssl.AllowTlsResume = false;
                });
            });
        }
        if (options.UnixSocketPath is { } path)
        {
            File.Delete(path);
            kestrel.ListenUnixSocket(path, listen => listen.Protocols = HttpProtocols.Http2);
        }
    }

    // A connection's identity is proven once and kept with the connection.
    private static RpcPeer PeerOf(HttpContext context, TimeProvider time, RpcTransport transport)
    {
        IDictionary<object, object?>? items = context.Features.Get<IConnectionItemsFeature>()?.Items;
        if (items is not null)
        {
            lock (items)
            {
                if (items.TryGetValue(typeof(RpcPeer), out object? known) && known is RpcPeer peer)
                    return peer;
                peer = MakePeer(context, time, transport);
                items[typeof(RpcPeer)] = peer;
                return peer;
            }
        }
        return MakePeer(context, time, transport);
    }

    private static RpcPeer MakePeer(HttpContext context, TimeProvider time, RpcTransport transport)
    {
        ReadOnlyMemory<byte>? endpointId = null;
        if (context.Connection.ClientCertificate is { } certificate
            && NodeCertificate.TryVerify(certificate, time.GetUtcNow(), out byte[] id, out _))
            endpointId = id;
        string address = context.Connection.RemoteIpAddress is { } ip
            ? new IPEndPoint(ip, context.Connection.RemotePort).ToString()
            : "local";
        return new RpcPeer(endpointId, transport, address);
    }

    private static bool TryReadHead(
        HttpRequest request, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out RpcRequestHead? head, out RpcStatus refusal)
    {
        head = null;
        refusal = default;
        string path = request.Path.Value ?? "";
        int slash = path.LastIndexOf('/');
        if (slash < 1)
        {
            refusal = new RpcStatus(RpcStatusCode.Unimplemented, "the path is not /service/method");
            return false;
        }
        if (request.Headers.TryGetValue(GrpcWire.EncodingHeader, out StringValues encoding) && encoding != "identity")
        {
            request.HttpContext.Response.Headers[GrpcWire.AcceptEncodingHeader] = "identity";
            refusal = new RpcStatus(RpcStatusCode.Unimplemented, "no message encoding but identity is spoken here");
            return false;
        }
        TimeSpan? timeout = null;
        if (request.Headers.TryGetValue(GrpcWire.TimeoutHeader, out StringValues text))
        {
            if (!GrpcWire.TryReadTimeout(text.ToString(), out TimeSpan read))
            {
                refusal = new RpcStatus(RpcStatusCode.InvalidArgument, "grpc-timeout cannot be read");
                return false;
            }
            timeout = read;
        }
        var metadata = new RpcMetadata();
        foreach (KeyValuePair<string, StringValues> header in request.Headers)
        {
            string key = header.Key.ToLowerInvariant();
            if (IsOwn(key))
                continue;
            foreach (string? value in header.Value)
            {
                if (!GrpcWire.TryAddHeader(metadata, key, value ?? ""))
                {
                    refusal = new RpcStatus(RpcStatusCode.InvalidArgument, $"metadata '{key}' is not allowed (name, characters or size)");
                    return false;
                }
            }
        }
        head = new RpcRequestHead(path[1..slash], path[(slash + 1)..], timeout, metadata);
        return true;
    }

    // Headers that belong to HTTP or gRPC and not to the call.
    private static bool IsOwn(string key) => key[0] == ':' || key.StartsWith("grpc-", StringComparison.Ordinal)
        || key is "te" or "content-type" or "content-length" or "user-agent" or "host" or "accept-encoding";

    private static void Finish(HttpContext context, in RpcStatus status)
    {
        HttpResponse response = context.Response;
        // Before the first message a status may travel in the headers alone ("Trailers-Only").
        if (response.HasStarted || status.Code == RpcStatusCode.Ok)
        {
            response.AppendTrailer(GrpcWire.StatusTrailer, ((int)status.Code).ToString());
            if (status.Message.Length > 0)
                response.AppendTrailer(GrpcWire.MessageTrailer, GrpcWire.EncodeMessage(status.BoundedMessage));
            if (status.Details.Length > 0)
                response.AppendTrailer(GrpcWire.DetailsTrailer, GrpcWire.ToHeaderValue(GrpcWire.DetailsTrailer, status.Details));
            return;
        }
        response.Headers[GrpcWire.StatusTrailer] = ((int)status.Code).ToString();
        response.Headers[GrpcWire.MessageTrailer] = GrpcWire.EncodeMessage(status.BoundedMessage);
        if (status.Details.Length > 0)
            response.Headers[GrpcWire.DetailsTrailer] = GrpcWire.ToHeaderValue(GrpcWire.DetailsTrailer, status.Details);
    }
}

/// <summary>The messages of one gRPC call on the serving side.</summary>
internal sealed class GrpcServerExchange(HttpContext context) : ServerExchange, IDisposable
{
    private readonly GrpcMessageReader _reader = new(context.Request.Body);

    public override void Begin(RpcMethod method)
    {
        // gRPC does not say in the head which kind of call it is: the messages show it.
    }

    public void Dispose() => _reader.Dispose();

    protected override ValueTask<ReadOnlyMemory<byte>?> ReadMessageAsync(CancellationToken cancellationToken) =>
        _reader.ReadAsync(RpcFailureStage.Answered, cancellationToken);

    protected override async ValueTask WriteMessageAsync(IMessage message, int length, CancellationToken cancellationToken)
    {
        PipeWriter body = context.Response.BodyWriter;
        GrpcWire.WriteMessage(body, message, length);
        FlushResult flushed = await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        // After the caller's reset Kestrel drops what is written, and fires the token some time later: until then a handler
        // that makes messages quickly would make them for nobody.
        if (flushed.IsCompleted)
            throw new IOException("the caller has reset the call");
    }
}
