namespace Blixard.Testing.NatLab;

/// <summary>Which senders reach a mapping (RFC 4787 §5).</summary>
public enum NatFiltering
{
    /// <summary>Everybody.</summary>
    EndpointIndependent,
    /// <summary>The addresses that were sent to, from any port.</summary>
    AddressDependent,
    /// <summary>The addresses and ports that were sent to.</summary>
    AddressAndPortDependent,
}

/// <summary>What <see cref="NatProbe"/> has seen.</summary>
/// <param name="UdpPasses">Whether the server answered by UDP. Without it nothing else is known.</param>
/// <param name="IsTranslated">Whether the server saw another address than the host's own.</param>
/// <param name="KeepsPort">Whether the server saw the host's own port.</param>
/// <param name="MappingVaries">Whether the server's two addresses and two ports saw different mappings.</param>
/// <param name="Filtering">Who reaches the mapping.</param>
public sealed record NatBehaviour(bool UdpPasses, bool IsTranslated, bool KeepsPort, bool MappingVaries, NatFiltering Filtering);
