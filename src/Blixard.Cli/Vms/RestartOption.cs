using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary>What <c>--restart</c> takes: never, on-failure or always; here or elsewhere; or one of each with a comma.</summary>
internal static class RestartOption
{
    /// <summary>Says what is wrong with a value, or null.</summary>
    public static string? Check(string? text)
    {
        string[] words = (text ?? "").Split(',');
        int policies = words.Count(word => PolicyOf(word) != RestartPolicy.Unspecified);
        int losses = words.Count(word => LossOf(word) != NodeLossPolicy.Unspecified);
        return policies <= 1 && losses <= 1 && policies + losses == words.Length
            ? null
            : $"--restart takes never, on-failure or always, here or elsewhere, or one of each with a comma; '{text}' is not that.";
    }

    /// <summary>Reads a value that <see cref="Check"/> has passed; what it leaves out is on-failure, here.</summary>
    public static (RestartPolicy Restart, NodeLossPolicy OnNodeLoss) Read(string text)
    {
        string[] words = text.Split(',');
        RestartPolicy restart = words.Select(PolicyOf).FirstOrDefault(policy => policy != RestartPolicy.Unspecified);
        NodeLossPolicy loss = words.Select(LossOf).FirstOrDefault(policy => policy != NodeLossPolicy.Unspecified);
        return (
            restart == RestartPolicy.Unspecified ? RestartPolicy.OnFailure : restart,
            loss == NodeLossPolicy.Unspecified ? NodeLossPolicy.Here : loss);
    }

    private static RestartPolicy PolicyOf(string word) => word switch
    {
        "never" => RestartPolicy.Never,
        "on-failure" => RestartPolicy.OnFailure,
        "always" => RestartPolicy.Always,
        _ => RestartPolicy.Unspecified,
    };

    private static NodeLossPolicy LossOf(string word) => word switch
    {
        "here" => NodeLossPolicy.Here,
        "elsewhere" => NodeLossPolicy.Elsewhere,
        _ => NodeLossPolicy.Unspecified,
    };
}
