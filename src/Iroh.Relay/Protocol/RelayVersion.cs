using System.Diagnostics.CodeAnalysis;

namespace Iroh.Relay.Protocol;

/// <summary>The version of the relay protocol, agreed on as WebSocket sub-protocol. The two differ in how a relay reports its state.</summary>
public enum RelayVersion
{
    /// <summary><c>iroh-relay-v1</c> (iroh 0.9x): <see cref="RelayFrameType.Health"/> frames with text.</summary>
    V1 = 1,

    /// <summary><c>iroh-relay-v2</c> (iroh 1.0): <see cref="RelayFrameType.Status"/> frames with a code.</summary>
    V2 = 2,
}

/// <summary>The names of the versions in the <c>Sec-WebSocket-Protocol</c> header.</summary>
public static class RelayVersions
{
    /// <summary>What a client offers that speaks all of them, the best first.</summary>
    public const string Offer = V2Name + ", " + V1Name;

    private const string V1Name = "iroh-relay-v1";
    private const string V2Name = "iroh-relay-v2";

    /// <summary>The sub-protocol's name.</summary>
    public static string ToSubprotocol(this RelayVersion version) => version == RelayVersion.V1 ? V1Name : V2Name;

    /// <summary>Reads what a server chose: exactly one name.</summary>
    public static bool TryParse([NotNullWhen(true)] string? subprotocol, out RelayVersion version)
    {
        version = subprotocol == V1Name ? RelayVersion.V1 : RelayVersion.V2;
        return subprotocol is V1Name or V2Name;
    }

    /// <summary>Chooses the highest version that a client offers in a comma-separated list.</summary>
    /// <returns>False if the list has none that is known.</returns>
    public static bool TryChoose([NotNullWhen(true)] string? offer, out RelayVersion version)
    {
        version = default;
        if (offer is null)
            return false;
        bool found = false;
        foreach (Range range in offer.AsSpan().Split(','))
        {
            ReadOnlySpan<char> name = offer.AsSpan(range).Trim();
            if (name.SequenceEqual(V2Name))
            {
                version = RelayVersion.V2;
                return true;
            }

            if (name.SequenceEqual(V1Name))
            {
                version = RelayVersion.V1;
                found = true;
            }
        }

        return found;
    }
}
