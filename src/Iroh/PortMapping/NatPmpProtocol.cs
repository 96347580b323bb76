using System.Net;

namespace Iroh.PortMapping;

/// <summary>Asks a gateway by NAT-PMP.</summary>
internal sealed class NatPmpProtocol(TimeProvider time, int gatewayPort = NatPmpMessage.Port) : IPortMappingProtocol
{
    /// <inheritdoc/>
    public PortMappingProtocol Protocol => PortMappingProtocol.NatPmp;

    /// <inheritdoc/>
    public async Task<MappingLease> MapAsync(MappingRequest request, CancellationToken cancellationToken)
    {
        IPAddress address = await AskAddressAsync(request, cancellationToken).ConfigureAwait(false);
        (bool hasAnswer, (int Result, (int Internal, int External, TimeSpan Lifetime) Mapping) answer) =
            await AskMapAsync(request, request.SuggestedPort, MappingRequest.Lifetime, cancellationToken).ConfigureAwait(false);
        if (!hasAnswer)
            throw new PortMappingException($"{request.Gateway} tells its address by NAT-PMP but does not answer a request for a port.");
        if (answer.Result != 0)
            throw new PortMappingException($"{request.Gateway} refuses NAT-PMP: {NatPmpMessage.Explain(answer.Result)}.");
        if (answer.Mapping.External == 0 || answer.Mapping.Lifetime <= TimeSpan.Zero)
            throw new PortMappingException($"{request.Gateway} answers NAT-PMP with a mapping that nobody can use.");
        return new MappingLease(
            new MappedPort(new IPEndPoint(address, answer.Mapping.External), request.InternalPort, Protocol), answer.Mapping.Lifetime);
    }

    /// <inheritdoc/>
    public Task UnmapAsync(MappingRequest request, MappedPort port, CancellationToken cancellationToken) =>
        AskMapAsync(request, 0, TimeSpan.Zero, cancellationToken);

    private async Task<IPAddress> AskAddressAsync(MappingRequest request, CancellationToken cancellationToken)
    {
        (bool hasAnswer, (int Result, IPAddress? Address) answer) = await GatewayExchange.AskAsync<(int, IPAddress?)>(
            new IPEndPoint(request.Gateway, gatewayPort),
            NatPmpMessage.RequestLengthMax,
            static (destination, _) => NatPmpMessage.WriteAddressRequest(destination),
            static (datagram, out answer) =>
            {
                bool isRead = NatPmpMessage.TryReadAddress(datagram, out int result, out IPAddress address);
                answer = (result, address);
                return isRead;
            },
            time,
            cancellationToken).ConfigureAwait(false);
        if (!hasAnswer)
            throw new PortMappingException($"{request.Gateway} does not answer NAT-PMP.");
        if (answer.Result != 0)
            throw new PortMappingException($"{request.Gateway} refuses NAT-PMP: {NatPmpMessage.Explain(answer.Result)}.");
        return answer.Address is { } address && !address.Equals(IPAddress.Any)
            ? address
            : throw new PortMappingException($"{request.Gateway} has no public address (NAT-PMP).");
    }

    private Task<(bool HasAnswer, (int Result, (int Internal, int External, TimeSpan Lifetime) Mapping) Answer)> AskMapAsync(
        MappingRequest request, int suggestedPort, TimeSpan lifetime, CancellationToken cancellationToken) =>
        GatewayExchange.AskAsync<(int Result, (int Internal, int External, TimeSpan Lifetime) Mapping)>(
            new IPEndPoint(request.Gateway, gatewayPort),
            NatPmpMessage.RequestLengthMax,
            (destination, _) => NatPmpMessage.WriteMapRequest(destination, request.InternalPort, suggestedPort, lifetime),
            (datagram, out answer) =>
            {
                // An answer to the request before, or about another port, is not ours.
                bool isRead = NatPmpMessage.TryReadMap(datagram, out int result, out (int Internal, int External, TimeSpan Lifetime) mapping)
                    && (result != 0 || mapping.Internal == request.InternalPort);
                answer = (result, mapping);
                return isRead;
            },
            time,
            cancellationToken);
}
