using System.Diagnostics.CodeAnalysis;
using Iroh.Base;
using Iroh.Base.Serialization;

namespace Blixard.Cluster.Tokens;

/// <summary>
/// Everything a machine needs to join a cluster, as one string: <c>blixard</c> followed by lower-case base 32 of its bytes.
/// It holds a secret: whoever has it can join, until it expires or is used up.
/// </summary>
public sealed class JoinTicket
{
    private const string Prefix = "blixard";
    private const byte Version = 2;
    private const int MaxTextLength = 16 * 1024;
    private const int MaxTextFieldLength = 512;

    /// <summary>The most servers that a ticket names: one that answers is enough, and a ticket has to be pasted.</summary>
    public const int ServersMax = 5;

    /// <summary>Number of bytes of a token's secret: more than anybody can guess.</summary>
    public const int SecretLength = 32;

    /// <summary>Makes a ticket.</summary>
    /// <param name="clusterId">The cluster that it leads into.</param>
    /// <param name="servers">Whom to ask, 1 to <see cref="ServersMax"/>, in the order in which to try.</param>
    /// <param name="secret">The token's secret, <see cref="SecretLength"/> bytes.</param>
    public JoinTicket(string clusterId, IReadOnlyList<TicketServer> servers, ReadOnlyMemory<byte> secret)
    {
        ArgumentNullException.ThrowIfNull(servers);
        if (servers.Count is 0 or > ServersMax)
            throw new ArgumentException($"A ticket names 1 to {ServersMax} servers.", nameof(servers));
        if (secret.Length != SecretLength)
            throw new ArgumentException($"A token's secret has {SecretLength} bytes.", nameof(secret));
        (ClusterId, Servers, Secret) = (clusterId, servers, secret);
    }

    /// <summary>The cluster's id.</summary>
    public string ClusterId { get; }

    /// <summary>The servers through which one can join: the first that answers will do.</summary>
    public IReadOnlyList<TicketServer> Servers { get; }

    /// <summary>The token's secret.</summary>
    public ReadOnlyMemory<byte> Secret { get; }

    /// <summary>Reads a ticket, or says in words what is wrong with the text.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out JoinTicket? ticket, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        ticket = null;
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
            problem = $"This is not a join ticket: it does not start with '{Prefix}'. 'blixard token create' on a member prints one.";
        else if (text.Length > MaxTextLength || !Base32.TryDecode(text.AsSpan(Prefix.Length), out byte[] bytes) || !TryRead(bytes, out ticket))
            problem = "This join ticket is damaged. Was it cut off or changed on the way?";
        else
            problem = null;
        return ticket is not null;
    }

    /// <summary>The text form.</summary>
    public override string ToString()
    {
        var writer = new PostcardWriter();
        writer.WriteByte(Version);
        writer.WriteString(ClusterId);
        writer.WriteBytes(Secret.Span);
        writer.WriteVarint((ulong)Servers.Count);
        foreach (TicketServer server in Servers)
        {
            writer.WriteString(server.GrpcAddress);
            var address = new PostcardWriter();
            EndpointAddressCodec.Write(address, server.Address);
            writer.WriteBytes(address.Written);
        }

        return Prefix + Base32.Encode(writer.Written);
    }

    private static bool TryRead(ReadOnlySpan<byte> bytes, out JoinTicket? ticket)
    {
        ticket = null;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadByte(out byte version)
            || version != Version
            || !reader.TryReadString(out string clusterId)
            || clusterId.Length > MaxTextFieldLength
            || !reader.TryReadBytes(out ReadOnlySpan<byte> secret)
            || secret.Length != SecretLength
            || !reader.TryReadUInt64(out ulong count)
            || count is 0 or > ServersMax)
            return false;
        var servers = new List<TicketServer>();
        for (ulong i = 0; i < count; i++)
        {
            if (!reader.TryReadString(out string grpcAddress)
                || grpcAddress.Length > MaxTextFieldLength
                || !reader.TryReadBytes(out ReadOnlySpan<byte> encoded)
                || !EndpointAddressCodec.TryRead(encoded, out EndpointAddress? address))
                return false;
            servers.Add(new TicketServer(address, grpcAddress));
        }

        ticket = new JoinTicket(clusterId, servers, secret.ToArray());
        return true;
    }
}

/// <summary>A server that a ticket names.</summary>
/// <param name="Address">Where it can be dialled by key; just its id while its P2P is off.</param>
/// <param name="GrpcAddress">Where it answers gRPC, "host:port", or "".</param>
public sealed record TicketServer(EndpointAddress Address, string GrpcAddress);
