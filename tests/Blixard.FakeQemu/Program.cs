using Blixard.FakeQemu;

// Takes QEMU's arguments, serves its control socket and its console, and keeps a record of its life in the folder that the variable
// BLIXARD_LIVES names. Asked for its version it says it; called otherwise, as for a probe of KVM, it fails.
if (args.Contains("--version"))
{
    Console.WriteLine("QEMU emulator version 7.2.0 (without guests)");
    return 0;
}

if (Arguments.TryRead(args) is not { } arguments || Environment.GetEnvironmentVariable("BLIXARD_LIVES") is not { Length: > 0 } lives)
{
    Console.Error.WriteLine("no control socket is asked for, or BLIXARD_LIVES is not set");
    return 2;
}

using var life = new Life(lives, arguments.Name, Environment.GetEnvironmentVariable("BLIXARD_LIVES_HOST") ?? "");
await File.WriteAllTextAsync(arguments.PidFile, $"{Environment.ProcessId}\n");
using var console = new Listener(arguments.ConsoleSocket);
using var machine = new ControlSocket(arguments.QmpSocket, arguments.Uuid);
await machine.Ended;
return 0;
