using System.Buffers;

namespace Iroh.Relay.Server.Hosting;

/// <summary>What shows that an answer to <c>/generate_204</c> comes from a relay (iroh-relay server.rs).</summary>
internal static class CaptivePortalChallenge
{
    /// <summary>The header that the client sets.</summary>
    public const string RequestHeader = "X-Iroh-Challenge";

    /// <summary>The header that answers it.</summary>
    public const string ResponseHeader = "X-Iroh-Response";

    // As in iroh's relay: it goes back into a header.
    private const int LengthMax = 63;

    private static readonly SearchValues<char> s_allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>Whether a challenge is answered.</summary>
    public static bool IsValid(string challenge) => challenge.Length is > 0 and <= LengthMax && !challenge.AsSpan().ContainsAnyExcept(s_allowed);

    /// <summary>The answer.</summary>
    public static string Answer(string challenge) => $"response {challenge}";
}
