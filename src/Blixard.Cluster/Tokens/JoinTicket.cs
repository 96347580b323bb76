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
    private const byte Version = 1;
    private const int MaxTextLength = 16 * 1024;
    private const int MaxTextFieldLength = 512;

    /// <summary>Number of bytes of a token's secret: more than anybody can guess.</summary>
    public const int SecretLength = 32;

    /// <summary>Makes a ticket.</summary>
    /// <param name="clusterId">The cluster that it leads into.</param>
    /// <param name="server">Where the server that made it can be dialled by key; just its id while its P2P is off.</param>
    /// <param name="grpcAddress">Where the same server answers gRPC, "host:port", or "".</param>
    /// <param name="secret">The token's secret, <see cref="SecretLength"/> bytes.</param>
    public JoinTicket(string clusterId, EndpointAddress server, string grpcAddress, ReadOnlyMemory<byte> secret)
    {
        ArgumentNullException.ThrowIfNull(server);
        if (secret.Length != SecretLength)
            throw new ArgumentException($"A token's secret has {SecretLength} bytes.", nameof(secret));
        (ClusterId, Server, GrpcAddress, Secret) = (clusterId, server, grpcAddress, secret);
    }

    /// <summary>The cluster's id.</summary>
    public string ClusterId { get; }

    /// <summary>The server to join through.</summary>
    public EndpointAddress Server { get; }

    /// <summary>The same server's gRPC address, "" if it has none.</summary>
    public string GrpcAddress { get; }

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
        writer.WriteString(GrpcAddress);
        writer.WriteBytes(Secret.Span);
        EndpointAddressCodec.Write(writer, Server);
        return Prefix + Base32.Encode(writer.Written);
    }

    private static bool TryRead(ReadOnlySpan<byte> bytes, out JoinTicket? ticket)
    {
        ticket = null;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadByte(out byte version)
            || version != Version
            || !reader.TryReadString(out string clusterId)
            || !reader.TryReadString(out string grpcAddress)
            || clusterId.Length > MaxTextFieldLength
            || grpcAddress.Length > MaxTextFieldLength
            || !reader.TryReadBytes(out ReadOnlySpan<byte> secret)
            || secret.Length != SecretLength
            || !EndpointAddressCodec.TryRead(bytes[reader.Position..], out EndpointAddress? server))
            return false;
        ticket = new JoinTicket(clusterId, server, grpcAddress, secret.ToArray());
        return true;
    }
}
