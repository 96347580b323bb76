namespace Blixard.Containers.Boot;

/// <summary>Builds the program that becomes the container's: from the root directory that it is started in to <c>execve</c>.</summary>
internal static class Launcher
{
    /// <summary>The exit code when the user or the working directory cannot be had.</summary>
    public const int SetupExitCode = 126;

    /// <summary>The exit code when the program cannot be executed, as shells have it.</summary>
    public const int NotFoundExitCode = 127;

    /// <summary>The file descriptor from which it reads the machine's name.</summary>
    public const int HostNameDescriptor = 3;

    // HOST_NAME_MAX of Linux.
    private const int HostNameLengthMax = 64;

    // System calls of Linux on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
    private const int Read = 0, Close = 3, SignalAction = 13, InputOutputControl = 16, Execute = 59, ChangeDirectory = 80, Umask = 95,
        SetUser = 105, SetGroup = 106, SetSession = 112, SetGroups = 116, ChangeRoot = 161;

    private const int SetControllingTerminal = 0x540E;

    /// <summary>Builds it.</summary>
    /// <param name="program">What to run.</param>
    /// <param name="isRoot">Whether the directory in which it is started becomes the root; false leaves the root as it is, for tests without privileges.</param>
    public static byte[] Build(ContainerProgram program, bool isRoot = true)
    {
        var launch = new LaunchProgram();
        // A session of its own with the console as terminal: Ctrl-C on the console reaches the program and nobody else.
        launch.Call(SetSession, 0);
        launch.Call(InputOutputControl, 0, 0, SetControllingTerminal, 0);
        // Shells start background programs with these two ignored (SIGINT, SIGQUIT); a sigaction of zeros is the default.
        ulong action = launch.Data(new byte[32]);
        launch.Call(SignalAction, 0, 2, action, 0, 8);
        launch.Call(SignalAction, 0, 3, action, 0, 8);
        List<ulong> environment = [.. program.Environment.Select(launch.Text)];
        if (!program.Environment.Any(static pair => pair.StartsWith("HOSTNAME=", StringComparison.Ordinal)))
            environment.Add(AddHostName(launch));
        launch.Call(Close, 0, HostNameDescriptor);
        launch.Call(Umask, 0, 0x12);
        if (isRoot)
        {
            launch.Call(ChangeRoot, SetupExitCode, launch.Text("."));
            launch.Call(ChangeDirectory, SetupExitCode, launch.Text("/"));
            launch.Call(ChangeDirectory, SetupExitCode, launch.Text(program.WorkingDirectory));
            launch.Call(SetGroups, SetupExitCode, (ulong)program.Account.Groups.Count, GroupList(launch, program.Account.Groups));
            launch.Call(SetGroup, SetupExitCode, program.Account.GroupId);
            launch.Call(SetUser, SetupExitCode, program.Account.UserId);
        }

        ulong arguments = launch.Pointers(program.Arguments.Select(launch.Text).ToArray());
        ulong variables = launch.Pointers(environment);
        foreach (string path in program.Candidates)
            launch.Call(Execute, 0, launch.Text(path), arguments, variables);
        return launch.Build(NotFoundExitCode);
    }

    private static ulong AddHostName(LaunchProgram launch)
    {
        ReadOnlySpan<byte> name = "HOSTNAME="u8;
        ulong variable = launch.Data([.. name, .. new byte[HostNameLengthMax + 1]]);
        launch.Call(Read, 0, HostNameDescriptor, variable + (ulong)name.Length, HostNameLengthMax);
        return variable;
    }

    private static ulong GroupList(LaunchProgram launch, IReadOnlyList<uint> groups) =>
        launch.Data(System.Runtime.InteropServices.MemoryMarshal.AsBytes<uint>(groups.ToArray()));
}
