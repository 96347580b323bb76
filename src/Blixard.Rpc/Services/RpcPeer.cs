using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Services;

/// <summary>Who calls, and on which way. One object serves all calls of a connection.</summary>
public sealed class RpcPeer
{
    /// <summary>A caller.</summary>
    /// <param name="endpointId">Its proven endpoint id (32 bytes; kept, not copied); null when it has shown none.</param>
    /// <param name="transport">The way.</param>
    /// <param name="address">Where it is, for logs.</param>
    public RpcPeer(ReadOnlyMemory<byte>? endpointId, RpcTransport transport, string address)
    {
        if (endpointId is { Length: not RpcLimits.EndpointIdLength })
            throw new ArgumentException("an endpoint id has 32 bytes", nameof(endpointId));
        EndpointId = endpointId;
        Transport = transport;
        Address = address;
    }

    /// <summary>The proven endpoint id, 32 bytes; null when the caller has shown none.</summary>
    public ReadOnlyMemory<byte>? EndpointId { get; }

    /// <summary>The way on which it calls.</summary>
    public RpcTransport Transport { get; }

    /// <summary>Where it is, for logs.</summary>
    public string Address { get; }

    /// <summary>True when the caller has proven to be <paramref name="endpointId"/>.</summary>
    public bool Is(ReadOnlySpan<byte> endpointId) => EndpointId is { } own && own.Span.SequenceEqual(endpointId);

    /// <inheritdoc/>
    public override string ToString() =>
        EndpointId is { } id ? $"{Convert.ToHexStringLower(id.Span)} ({Transport}, {Address})" : $"nobody ({Transport}, {Address})";
}
