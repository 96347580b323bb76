using System.Net;

namespace Iroh.PortMapping;

/// <summary>What a gateway is asked for.</summary>
/// <param name="Gateway">The gateway's address.</param>
/// <param name="InternalPort">The UDP port of this machine.</param>
/// <param name="SuggestedPort">The port that we would like outside: the one of last time, or the internal one.</param>
/// <param name="Nonce">12 random bytes that stay the same for every request about this port (RFC 6887 §11.2).</param>
internal sealed record MappingRequest(IPAddress Gateway, int InternalPort, int SuggestedPort, ReadOnlyMemory<byte> Nonce)
{
    /// <summary>How long a mapping is asked for: RFC 6886 §3.3 recommends two hours.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(2);
}

/// <summary>What a gateway granted.</summary>
/// <param name="Port">The forwarded port.</param>
/// <param name="Lifetime">For how long; a gateway may grant less than it was asked for.</param>
internal sealed record MappingLease(MappedPort Port, TimeSpan Lifetime);

/// <summary>A gateway did not forward a port. The message is a sentence for people.</summary>
internal sealed class PortMappingException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>One way to ask a gateway.</summary>
internal interface IPortMappingProtocol
{
    /// <summary>Which one.</summary>
    PortMappingProtocol Protocol { get; }

    /// <summary>Asks for a mapping, or for a longer life of one.</summary>
    /// <exception cref="PortMappingException">The gateway does not know this protocol, or refuses.</exception>
    Task<MappingLease> MapAsync(MappingRequest request, CancellationToken cancellationToken);

    /// <summary>Gives a mapping back; a gateway that does not answer keeps it until its lease ends.</summary>
    Task UnmapAsync(MappingRequest request, MappedPort port, CancellationToken cancellationToken);
}
