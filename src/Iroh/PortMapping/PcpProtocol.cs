using System.Net;

namespace Iroh.PortMapping;

/// <summary>Asks a gateway by PCP.</summary>
internal sealed class PcpProtocol(TimeProvider time, int gatewayPort = NatPmpMessage.Port) : IPortMappingProtocol
{
    /// <inheritdoc/>
    public PortMappingProtocol Protocol => PortMappingProtocol.Pcp;

    /// <inheritdoc/>
    public async Task<MappingLease> MapAsync(MappingRequest request, CancellationToken cancellationToken)
    {
        (bool hasAnswer, PcpAnswer answer) = await AskAsync(request, request.SuggestedPort, MappingRequest.Lifetime, cancellationToken).ConfigureAwait(false);
        if (!hasAnswer)
            throw new PortMappingException($"{request.Gateway} does not answer PCP.");
        if (answer.Result != 0)
            throw new PortMappingException($"{request.Gateway} refuses PCP: {PcpMessage.Explain(answer.Result)}.");
        if (answer.InternalPort != request.InternalPort || answer.External.Port == 0 || answer.Lifetime <= TimeSpan.Zero
            || answer.External.Address.Equals(IPAddress.Any) || answer.External.Address.Equals(IPAddress.IPv6Any))
            throw new PortMappingException($"{request.Gateway} answers PCP with a mapping that nobody can use.");
        return new MappingLease(new MappedPort(answer.External, request.InternalPort, Protocol), answer.Lifetime);
    }

    /// <inheritdoc/>
    public Task UnmapAsync(MappingRequest request, MappedPort port, CancellationToken cancellationToken) =>
        AskAsync(request, 0, TimeSpan.Zero, cancellationToken);

    private Task<(bool HasAnswer, PcpAnswer Answer)> AskAsync(
        MappingRequest request, int suggestedPort, TimeSpan lifetime, CancellationToken cancellationToken) =>
        GatewayExchange.AskAsync<PcpAnswer>(
            new IPEndPoint(request.Gateway, gatewayPort),
            PcpMessage.RequestLength,
            (destination, local) => PcpMessage.WriteMapRequest(destination, local, request.InternalPort, suggestedPort, lifetime, request.Nonce.Span),
            (datagram, out answer) => PcpMessage.TryReadMap(datagram, request.Nonce.Span, out answer),
            time,
            cancellationToken);
}
