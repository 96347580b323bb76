using System.Net.Http.Headers;
using Iroh.Dns.Messages;

namespace Iroh.Lookup.Resolvers;

/// <summary>Asks a server over HTTPS with POST (RFC 8484 §4.1).</summary>
internal sealed class HttpsResolver(Uri server, HttpClient http) : IDnsResolver
{
    private const string MessageType = "application/dns-message";

    public string Name { get; } = $"DNS server {server}";

    public async Task<DnsMessage> AskAsync(DnsQuestion question, CancellationToken cancellationToken)
    {
        // The id is 0 so that HTTP caches can be of use; the connection tells which answer belongs to which query.
        byte[] query = new DnsMessage { RecursionDesired = true, Questions = [question] }.ToBytes();
        using var content = new ByteArrayContent(query);
        content.Headers.ContentType = new MediaTypeHeaderValue(MessageType);
        using var request = new HttpRequestMessage(HttpMethod.Post, server) { Content = content };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(MessageType));
        try
        {
            using HttpResponseMessage response = await http.SendAsync(
                request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
                throw new DnsResolverException($"{Name} answered {(int)response.StatusCode} ({response.ReasonPhrase})");
            await response.Content.LoadIntoBufferAsync(DnsMessage.LengthMax, cancellationToken).ConfigureAwait(false);
            byte[] bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            return DnsMessage.TryRead(bytes, out DnsMessage? answer) && answer.IsResponse
                ? answer
                : throw new DnsResolverException($"{Name} answered with something that is not a DNS message");
        }
        catch (HttpRequestException exception)
        {
            throw new DnsResolverException($"{Name} cannot be reached: {exception.Message}", exception);
        }
    }
}
