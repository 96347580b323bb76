namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>Version numbers (RFC 9000 §15).</summary>
internal static class QuicVersion
{
    /// <summary>The Version field of a Version Negotiation packet.</summary>
    public const uint Negotiation = 0;

    /// <summary>RFC 9000: the one version spoken here.</summary>
    public const uint V1 = 1;

    /// <summary>Whether the number is one of those that only exercise version negotiation, 0x?a?a?a?a.</summary>
    public static bool IsReserved(uint version) => (version & 0x0f0f0f0f) == 0x0a0a0a0a;
}
