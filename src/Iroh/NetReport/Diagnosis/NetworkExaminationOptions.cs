namespace Iroh.NetReport.Diagnosis;

/// <summary>Whom an examination asks.</summary>
public sealed class NetworkExaminationOptions
{
    /// <summary>The relays to measure. Default: none.</summary>
    public IReadOnlyList<RelayConfiguration> Relays { get; init; } = [];

    /// <summary>The STUN servers to ask; two at different addresses tell what kind of NAT there is. Default: none.</summary>
    public IReadOnlyList<StunServer> StunServers { get; init; } = [];

    /// <summary>Whether the gateway is asked to forward a port, which it gets back at the end. Default: yes.</summary>
    public bool AskGateway { get; init; } = true;

    /// <summary>How relays are asked over HTTP.</summary>
    public NetReporterOptions Reporter { get; init; } = new();

    /// <summary>How long the gateway is waited for, counted from the beginning; what is asked outside ends by itself within 5 s. Default: 9 s.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(9);
}
