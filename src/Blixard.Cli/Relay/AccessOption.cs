using Iroh.Relay.Server;
using Iroh.Relay.Server.Access;

namespace Blixard.Cli.Relay;

/// <summary>Reads <c>--access</c>.</summary>
internal static class AccessOption
{
    public const string Description =
        "Who may use the relay; given several times, all rules have to agree (tokens: one is enough). everyone (the default); "
        + "allow=FILE or deny=FILE with one endpoint id a line, read again when it changes; token=TOKEN, or token alone, "
        + "which takes " + TokenAccess.EnvironmentVariable + " (it takes the place of other tokens, too); "
        + "http=URL, a service that is asked about each client and answers 200 and true, with the bearer token in "
        + HttpAccess.EnvironmentVariable + " if that is set.";

    /// <summary>Makes what the rules say.</summary>
    /// <param name="rules">Each as given.</param>
    /// <param name="environment">Reads a variable.</param>
    /// <param name="onProblem">Is told why a changed list cannot be read.</param>
    /// <exception cref="CommandException">A rule makes no sense, or its file cannot be read.</exception>
    public static AccessControl Parse(IReadOnlyList<string> rules, Func<string, string?> environment, Action<string> onProblem)
    {
        var controls = new List<AccessControl>();
        var tokens = new List<string>();
        bool wantsToken = false;
        foreach (string rule in rules)
        {
            string[] parts = rule.Split('=', 2);
            string value = parts.Length > 1 ? parts[1] : "";
            switch (parts[0])
            {
                case "everyone" when parts.Length == 1:
                    break;
                case "allow" when value.Length > 0:
                    controls.Add(AccessControl.Allow(ReadList(value, onProblem)));
                    break;
                case "deny" when value.Length > 0:
                    controls.Add(AccessControl.Deny(ReadList(value, onProblem)));
                    break;
                case "token" when parts.Length == 1 || value.Length > 0:
                    wantsToken = true;
                    if (value.Length > 0)
                        tokens.Add(value);
                    break;
                case "http" when Uri.TryCreate(value, UriKind.Absolute, out Uri? service) && service.Scheme is "http" or "https":
                    controls.Add(new HttpAccess(service, environment(HttpAccess.EnvironmentVariable)));
                    break;
                default:
                    throw new CommandException(
                        ExitCode.Usage, $"--access takes everyone, allow=FILE, deny=FILE, token, token=TOKEN or http=URL; '{rule}' is none of them.");
            }
        }

        if (wantsToken)
            controls.Add(new TokenAccess(Tokens(tokens, environment(TokenAccess.EnvironmentVariable))));
        return controls.Count == 0 ? AccessControl.Everyone : AccessControl.All(controls);
    }

    private static List<string> Tokens(List<string> given, string? fromEnvironment) =>
        !string.IsNullOrEmpty(fromEnvironment) ? [fromEnvironment]
        : given.Count > 0 ? given
        : throw new CommandException(ExitCode.Usage, $"--access token needs a token: token=TOKEN, or the environment variable {TokenAccess.EnvironmentVariable}.");

    private static EndpointList ReadList(string path, Action<string> onProblem)
    {
        try
        {
            return EndpointList.FromFile(path, onProblem: onProblem);
        }
        catch (RelayServerException exception)
        {
            throw new CommandException(ExitCode.Usage, exception.Message, exception);
        }
    }
}
