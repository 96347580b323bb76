namespace Iroh.Quic.Protocol.Primitives;

/// <summary>How many packets of one packet number space arrived with each ECN mark: what an ACK frame reports (RFC 9000 §19.3.2).</summary>
/// <param name="Ect0">Packets with ECT(0).</param>
/// <param name="Ect1">Packets with ECT(1).</param>
/// <param name="Ce">Packets with CE.</param>
public readonly record struct EcnCounts(ulong Ect0, ulong Ect1, ulong Ce)
{
    /// <summary>The counts after one more packet with <paramref name="mark"/>.</summary>
    public EcnCounts Add(EcnCodepoint mark) => mark switch
    {
        EcnCodepoint.Ect0 => this with { Ect0 = Ect0 + 1 },
        EcnCodepoint.Ect1 => this with { Ect1 = Ect1 + 1 },
        EcnCodepoint.CongestionExperienced => this with { Ce = Ce + 1 },
        _ => this,
    };
}
