using System.Text.Json;

namespace Blixard.Containers.Images;

/// <summary>The configuration of a container image (OCI image-spec 1.1, config.md; Docker's is the same where it matters).</summary>
internal sealed record ImageConfiguration
{
    /// <summary>The digests of the layers, uncompressed, from the lowest.</summary>
    public required IReadOnlyList<Digest> DiffIds { get; init; }

    /// <summary>NAME=VALUE.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];

    public IReadOnlyList<string> EntryPoint { get; init; } = [];

    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>An absolute path; empty = "/".</summary>
    public string WorkingDirectory { get; init; } = "";

    /// <summary>USER, UID, USER:GROUP …; empty = root.</summary>
    public string User { get; init; } = "";

    /// <summary>The name or number of the signal that asks the program to end; empty = SIGTERM.</summary>
    public string StopSignal { get; init; } = "";

    /// <summary>Free keys and values; nothing here looks into them.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Reads a configuration and checks that it is for Linux on x86-64.</summary>
    /// <exception cref="ContainerImageException">It is malformed or for another platform.</exception>
    public static ImageConfiguration Read(byte[] json)
    {
        const string Where = "the image's configuration";
        using JsonDocument document = JsonFields.Parse(json, Where);
        JsonElement root = document.RootElement;
        string system = JsonFields.Text(root, "os", Where) ?? "linux", architecture = JsonFields.Text(root, "architecture", Where) ?? "amd64";
        if (system != "linux" || architecture != "amd64")
            throw new ContainerImageException(ContainerImageFailure.WrongPlatform, $"the image is for {Shown(system)}/{Shown(architecture)}; VMs are linux/amd64");
        JsonElement rootFs = JsonFields.RequiredObject(root, "rootfs", Where);
        IReadOnlyList<string> layers = JsonFields.Texts(rootFs, "diff_ids", Where) ?? [];
        if (layers.Count > ContainerLimits.LayersMax)
            throw ContainerImageException.TooLarge($"the image has {layers.Count} layers; {ContainerLimits.LayersMax} are possible");
        var configuration = new ImageConfiguration { DiffIds = [.. layers.Select(static text => Digest.Parse(text, "of a layer"))] };
        if (JsonFields.Object(root, "config", Where) is not { } run)
            return configuration;
        return configuration with
        {
            Environment = CheckEnvironment(Texts(run, "Env")),
            EntryPoint = Texts(run, "Entrypoint"),
            Command = Texts(run, "Cmd"),
            WorkingDirectory = CheckZero(JsonFields.Text(run, "WorkingDir", Where) ?? "", "WorkingDir"),
            User = JsonFields.Text(run, "User", Where) ?? "",
            StopSignal = JsonFields.Text(run, "StopSignal", Where) ?? "",
            Labels = JsonFields.TextsByName(run, "Labels", Where) ?? new Dictionary<string, string>(),
        };

        static IReadOnlyList<string> Texts(JsonElement run, string name) =>
            [.. (JsonFields.Texts(run, name, Where) ?? []).Select(text => CheckZero(text, name))];
    }

    /// <summary>Checks that each is NAME=VALUE.</summary>
    /// <exception cref="ContainerImageException">One is not.</exception>
    public static IReadOnlyList<string> CheckEnvironment(IReadOnlyList<string> environment) =>
        environment.FirstOrDefault(static pair => pair.IndexOf('=', StringComparison.Ordinal) < 1) is { } wrong
            ? throw ContainerImageException.Malformed($"the environment variable '{Shown(wrong)}' is not NAME=VALUE")
            : environment;

    private static string CheckZero(string text, string name) =>
        text.Contains('\0', StringComparison.Ordinal) ? throw ContainerImageException.Malformed($"'{name}' of the image's configuration holds a zero byte") : text;

    private static string Shown(string text) => ByteText.Show(ByteText.FromUnicode(text));
}
