using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Iroh.Cryptography;
using Iroh.Dns.Messages;

namespace Iroh.Lookup.Resolvers;

/// <summary>
/// Asks a server over UDP, and over TCP where the answer was cut. Each query has a socket, so a port, of its own and a random id
/// (RFC 5452): who cannot see it cannot answer it.
/// </summary>
internal sealed class DatagramResolver(IPEndPoint server, RandomSource random) : IDnsResolver
{
    // Passes everywhere without being cut in pieces (DNS flag day 2020).
    private const ushort PayloadSize = 1232;

    // Guesses at the id: whoever sends that many gets no further ones.
    private const int StrangeAnswersMax = 32;

    public string Name { get; } = $"DNS server {server}";

    public async Task<DnsMessage> AskAsync(DnsQuestion question, CancellationToken cancellationToken)
    {
        var query = new DnsMessage
        {
            Id = (ushort)random.NextBelow(65_536),
            RecursionDesired = true,
            Questions = [question],
            Edns = new Edns(PayloadSize),
        };
        byte[] bytes = query.ToBytes();
        try
        {
            DnsMessage answer = await AskOverUdpAsync(bytes, query, cancellationToken).ConfigureAwait(false);
            return answer.IsTruncated ? await AskOverTcpAsync(bytes, query, cancellationToken).ConfigureAwait(false) : answer;
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            throw new DnsResolverException($"{Name} cannot be asked: {exception.Message}", exception);
        }
    }

    private async Task<DnsMessage> AskOverUdpAsync(byte[] bytes, DnsMessage query, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);

        // Connected: the kernel drops what others send.
        await socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);
        await socket.SendAsync(bytes, cancellationToken).ConfigureAwait(false);
        byte[] buffer = new byte[DnsMessage.LengthMax];
        for (int i = 0; i < StrangeAnswersMax; i++)
        {
            int length = await socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (DnsMessage.TryRead(buffer.AsSpan(0, length), out DnsMessage? answer) && IsAnswer(answer, query))
                return answer;
        }

        throw new DnsResolverException($"{Name} sends answers to other questions");
    }

    private async Task<DnsMessage> AskOverTcpAsync(byte[] bytes, DnsMessage query, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);
        await using var stream = new NetworkStream(socket);
        byte[] framed = new byte[bytes.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)bytes.Length);
        bytes.CopyTo(framed, 2);
        await stream.WriteAsync(framed, cancellationToken).ConfigureAwait(false);
        await stream.ReadExactlyAsync(framed.AsMemory(0, 2), cancellationToken).ConfigureAwait(false);

        // The length has 16 bits: 64 KiB at most.
        byte[] buffer = new byte[BinaryPrimitives.ReadUInt16BigEndian(framed)];
        await stream.ReadExactlyAsync(buffer, cancellationToken).ConfigureAwait(false);
        return DnsMessage.TryRead(buffer, out DnsMessage? answer) && IsAnswer(answer, query)
            ? answer
            : throw new DnsResolverException($"{Name} answered over TCP with something that is not the answer");
    }

    private static bool IsAnswer(DnsMessage answer, DnsMessage query) =>
        answer.IsResponse && answer.Id == query.Id && answer.Questions.Count == 1 && answer.Questions[0].Equals(query.Questions[0]);
}
