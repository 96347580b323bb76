using Blixard.Containers.Images;
using Blixard.Containers.Tree;

namespace Blixard.Containers.Boot;

/// <summary>What the machine runs, with everything found out that the image's files say. Texts are <see cref="ByteText"/>.</summary>
internal sealed record ContainerProgram
{
    // What Docker gives to images that say nothing.
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private const int AnyExecute = 0x49;

    /// <summary>The program's arguments, its own name first.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>NAME=VALUE, each name once.</summary>
    public required IReadOnlyList<string> Environment { get; init; }

    /// <summary>Where the program may be; the first that can be executed is.</summary>
    public required IReadOnlyList<string> Candidates { get; init; }

    public required string WorkingDirectory { get; init; }

    public required Account Account { get; init; }

    /// <summary>The number of the signal that asks it to end.</summary>
    public required int StopSignal { get; init; }

    /// <summary>Finds out what to run.</summary>
    /// <param name="image">The image's configuration.</param>
    /// <param name="tree">Its files; the working directory is made in it if it is missing.</param>
    /// <param name="accountFiles">The content of its /etc/passwd and /etc/group by place.</param>
    /// <param name="command">Takes the place of the configuration's command, as the words after the image do with docker run; null = it stays.</param>
    /// <param name="environment">Further NAME=VALUE, which win.</param>
    /// <exception cref="ContainerImageException">There is nothing to run, or the user, the program or the directory cannot be had.</exception>
    public static ContainerProgram Create(
        ImageConfiguration image, RootTree tree, IReadOnlyDictionary<ContentPlace, byte[]> accountFiles, IReadOnlyList<string>? command, IReadOnlyList<string> environment)
    {
        string[] arguments = [.. image.EntryPoint.Concat(command ?? image.Command).Select(ByteText.FromUnicode)];
        if (arguments.Length == 0 || arguments[0].Length == 0)
            throw ContainerImageException.NotFound("the image says nothing of what to run; name a command after --");
        Account account = Accounts.Find(image.User, Read("etc/passwd"), Read("etc/group"));
        string[] variables = Merge(image.Environment, ImageConfiguration.CheckEnvironment(environment), account.Home);
        string directory = ByteText.FromUnicode(image.WorkingDirectory.StartsWith('/') ? image.WorkingDirectory : "/" + image.WorkingDirectory);
        if (!tree.TryFind(directory, out TreeNode? found))
            tree.EnsureDirectory(directory, TreePath.Split(directory), int.MaxValue);
        else if (found.Kind != NodeKind.Directory)
            throw ContainerImageException.NotFound($"the image's working directory '{ByteText.Show(directory)}' is no directory");
        string[] candidates = CandidatesOf(arguments[0], variables);
        if (!candidates.Any(path => IsProgram(tree, path.StartsWith('/') ? path : $"{directory}/{path}")))
            throw ContainerImageException.NotFound($"'{ByteText.Show(arguments[0])}', which the image runs, is no program in it");
        long length = arguments.Concat(variables).Sum(static text => text.Length + 1L);
        if (length > ContainerLimits.CommandLengthMax)
            throw ContainerImageException.TooLarge($"the command and the environment have {length} bytes; {ContainerLimits.CommandLengthMax} are possible");
        return new ContainerProgram
        {
            Arguments = arguments,
            Environment = variables,
            Candidates = candidates,
            WorkingDirectory = directory,
            Account = account,
            StopSignal = Boot.StopSignal.Parse(image.StopSignal),
        };

        byte[] Read(string path) =>
            tree.TryFind(path, out TreeNode? node) && node.Content is { } place && accountFiles.TryGetValue(place, out byte[]? content) ? content : [];
    }

    private static string[] Merge(IReadOnlyList<string> image, IReadOnlyList<string> further, string home)
    {
        var merged = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string pair in (IEnumerable<string>)["PATH=" + DefaultPath, "HOME=" + home, .. image.Concat(further).Select(ByteText.FromUnicode)])
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            merged[pair[..equals]] = pair[(equals + 1)..];
        }

        return [.. merged.Select(static pair => $"{pair.Key}={pair.Value}")];
    }

    private static string[] CandidatesOf(string name, string[] environment)
    {
        if (name.Contains('/', StringComparison.Ordinal))
            return [name];
        // Linux takes more, but nobody looks through so many directories.
        const int DirectoriesMax = 64;
        string path = environment.First(static pair => pair.StartsWith("PATH=", StringComparison.Ordinal))[5..];
        return [.. path.Split(':').Take(DirectoriesMax).Select(directory => directory.Length == 0 ? $"./{name}" : $"{directory}/{name}")];
    }

    private static bool IsProgram(RootTree tree, string path) =>
        tree.TryFind(path, out TreeNode? node) && node.Kind == NodeKind.File && (node.Mode & AnyExecute) != 0;
}
