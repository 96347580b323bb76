namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>Version numbers (RFC 9000 §15).</summary>
internal static class QuicVersion
{
    /// <summary>The Version field of a Version Negotiation packet.</summary>
    public const uint Negotiation = 0;

    /// <summary>RFC 9000: the one version spoken here.</summary>
    public const uint V1 = 1;
}
