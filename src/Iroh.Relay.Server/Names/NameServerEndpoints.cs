using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Iroh.Base;
using Iroh.Dns.Messages;
using Iroh.Dns.Pkarr;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Iroh.Relay.Server.Names;

/// <summary>The HTTP part of a <see cref="NameServer"/>.</summary>
public static class NameServerEndpoints
{
    private const string PacketType = "application/x-pkarr-signed-packet";
    private const string MessageType = "application/dns-message";

    // As for DNS over TCP: a query with one name is far shorter.
    private const int QueryLengthMax = 4096;

    // Base 64 of the longest query.
    private const int QueryTextLengthMax = (QueryLengthMax * 4 / 3) + 4;

    /// <summary>
    /// Adds <c>/pkarr/{id in z-base-32}</c> (GET, PUT) and DNS over HTTPS (RFC 8484) at <c>/dns-query</c> (GET, POST), open to web
    /// pages of any origin. The limit on puts counts by the connection's remote address: behind a reverse proxy put the forwarded
    /// headers' middleware before it.
    /// </summary>
    public static void MapNameServer(this IEndpointRouteBuilder endpoints, NameServer server)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(server);
        endpoints.MapGet("/pkarr/{id}", context => GetPacketAsync(context, server));
        endpoints.MapPut("/pkarr/{id}", context => PutPacketAsync(context, server));
        endpoints.MapMethods("/pkarr/{id}", ["OPTIONS"], AllowOriginsAsync);
        endpoints.MapGet("/dns-query", context => GetAnswerAsync(context, server));
        endpoints.MapPost("/dns-query", context => PostQueryAsync(context, server));
        endpoints.MapMethods("/dns-query", ["OPTIONS"], AllowOriginsAsync);
    }

    private static async Task GetPacketAsync(HttpContext context, NameServer server)
    {
        AllowOrigins(context);
        if (!TryReadId(context, out EndpointId id))
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "The path does not end in an endpoint id: 52 characters of z-base-32.").ConfigureAwait(false);
        else if (!server.TryGet(id, out PkarrPacket? packet))
            await RefuseAsync(context, StatusCodes.Status404NotFound, "This endpoint has not put a packet, or not for long.").ConfigureAwait(false);
        else
            await SendAsync(context, PacketType, packet.Payload).ConfigureAwait(false);
    }

    private static async Task PutPacketAsync(HttpContext context, NameServer server)
    {
        AllowOrigins(context);
        if (!TryReadId(context, out EndpointId id))
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "The path does not end in an endpoint id: 52 characters of z-base-32.").ConfigureAwait(false);
            return;
        }

        if (!server.MayPut(context.Connection.RemoteIpAddress ?? IPAddress.None, out TimeSpan retryAfter))
        {
            context.Response.Headers.RetryAfter = Math.Ceiling(retryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            await RefuseAsync(context, StatusCodes.Status429TooManyRequests, "Too many packets from this address; wait and try again.").ConfigureAwait(false);
            return;
        }

        if (await ReadBodyAsync(context, PkarrPacket.PayloadLengthMax).ConfigureAwait(false) is not { } payload)
        {
            await RefuseAsync(context, StatusCodes.Status413PayloadTooLarge, $"A signed packet has at most {PkarrPacket.PayloadLengthMax} bytes.").ConfigureAwait(false);
            return;
        }

        if (await server.PutAsync(id, payload).ConfigureAwait(false) is { } problem)
            await RefuseAsync(context, StatusCodes.Status400BadRequest, problem).ConfigureAwait(false);
        else
            context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static async Task GetAnswerAsync(HttpContext context, NameServer server)
    {
        AllowOrigins(context);
        string text = context.Request.Query["dns"].ToString();
        byte[] query = new byte[QueryLengthMax];
        int length = 0;
        if (text.Length is 0 or > QueryTextLengthMax
            || Base64Url.DecodeFromChars(WithoutPadding(text), query, out _, out length) != OperationStatus.Done)
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "The parameter dns holds no DNS message in base 64 for URLs (RFC 8484).").ConfigureAwait(false);
        else
            await AnswerAsync(context, server, query.AsMemory(0, length)).ConfigureAwait(false);
    }

    private static async Task PostQueryAsync(HttpContext context, NameServer server)
    {
        AllowOrigins(context);
        if (context.Request.ContentType != MessageType)
            await RefuseAsync(context, StatusCodes.Status415UnsupportedMediaType, $"The body must be a DNS message of type {MessageType}.").ConfigureAwait(false);
        else if (await ReadBodyAsync(context, QueryLengthMax).ConfigureAwait(false) is not { } query)
            await RefuseAsync(context, StatusCodes.Status413PayloadTooLarge, $"A query has at most {QueryLengthMax} bytes here.").ConfigureAwait(false);
        else
            await AnswerAsync(context, server, query).ConfigureAwait(false);
    }

    private static async Task AnswerAsync(HttpContext context, NameServer server, ReadOnlyMemory<byte> query)
    {
        if (server.Answer(query.Span, "https") is not { } answer)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "This is not a DNS query.").ConfigureAwait(false);
            return;
        }

        // RFC 8484 §5.1: HTTP caches must not keep an answer for longer than DNS caches.
        context.Response.Headers.CacheControl =
            $"max-age={FreshSeconds(server, answer).ToString(CultureInfo.InvariantCulture)}";
        await SendAsync(context, MessageType, answer).ConfigureAwait(false);
    }

    private static uint FreshSeconds(NameServer server, byte[] answer)
    {
        if (!DnsMessage.TryRead(answer, out DnsMessage? message) || message.ResponseCode is not (DnsResponseCode.NoError or DnsResponseCode.NameError))
            return 0;
        return message.Answers.Count > 0 ? message.Answers.Min(record => record.TimeToLive) : (uint)server.NegativeTimeToLive.TotalSeconds;
    }

    private static bool TryReadId(HttpContext context, out EndpointId id) =>
        EndpointId.TryParseZBase32(context.Request.RouteValues["id"] as string, out id);

    private static ReadOnlySpan<char> WithoutPadding(string text) => text.AsSpan().TrimEnd('=');

    /// <summary>The request's body; null if it is longer than <paramref name="lengthMax"/>.</summary>
    private static async Task<ReadOnlyMemory<byte>?> ReadBodyAsync(HttpContext context, int lengthMax)
    {
        byte[] buffer = new byte[lengthMax + 1];
        int length = await context.Request.Body.ReadAtLeastAsync(
            buffer, buffer.Length, throwOnEndOfStream: false, context.RequestAborted).ConfigureAwait(false);
        return length > lengthMax ? (ReadOnlyMemory<byte>?)null : buffer.AsMemory(0, length);
    }

    private static async Task SendAsync(HttpContext context, string contentType, ReadOnlyMemory<byte> body)
    {
        context.Response.ContentType = contentType;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
    }

    private static async Task RefuseAsync(HttpContext context, int status, string detail)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteNumber("status", status);
        json.WriteString("detail", detail);
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    private static Task AllowOriginsAsync(HttpContext context)
    {
        AllowOrigins(context);
        context.Response.Headers.AccessControlAllowMethods = "GET, PUT, POST, OPTIONS";
        context.Response.Headers.AccessControlAllowHeaders = "*";
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private static void AllowOrigins(HttpContext context) => context.Response.Headers.AccessControlAllowOrigin = "*";
}
