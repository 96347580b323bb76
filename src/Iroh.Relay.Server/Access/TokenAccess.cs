using System.Security.Cryptography;
using System.Text;

namespace Iroh.Relay.Server.Access;

/// <summary>Lets in who shows one of the tokens. How long a comparison takes tells nothing about them.</summary>
public sealed class TokenAccess : AccessControl
{
    /// <summary>The environment variable that takes the place of configured tokens, in iroh's relay and here.</summary>
    public const string EnvironmentVariable = "IROH_RELAY_ACCESS_TOKEN";

    private readonly byte[][] _hashes;

    /// <summary>Takes the tokens.</summary>
    /// <param name="tokens">At least one, none of them empty.</param>
    public TokenAccess(IEnumerable<string> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        _hashes = [.. tokens.Select(static token => token.Length > 0 ? Hash(token) : throw new ArgumentException("A token is empty.", nameof(tokens)))];
        if (_hashes.Length == 0)
            throw new ArgumentException("There is no token.", nameof(tokens));
    }

    /// <inheritdoc/>
    public override ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Token is not { Length: > 0 } token)
            return new(AccessDecision.Denied("a token is required"));
        byte[] shown = Hash(token);
        bool matches = false;
        foreach (byte[] hash in _hashes)
            matches |= CryptographicOperations.FixedTimeEquals(hash, shown);
        return new(matches ? AccessDecision.Allowed : AccessDecision.Denied("the token is not valid here"));
    }

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
