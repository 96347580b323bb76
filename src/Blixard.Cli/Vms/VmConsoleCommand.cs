using System.CommandLine;
using System.Runtime.CompilerServices;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Cli.Vms;

/// <summary><c>vm console</c>: types into a VM's serial console and shows what it answers.</summary>
internal static class VmConsoleCommand
{
    // Ctrl-], as telnet has it: guests have no use for it.
    private const byte DetachKey = 0x1d;
    private const int InputLengthMax = 4096;

    public static Command Create()
    {
        Argument<string> name = VmCommand.NameArgument();
        var command = new Command("console", "Attach to a VM's console; Ctrl-] detaches.") { name };
        LocalNode.Handle(command, async (result, caller, _, cancellationToken) =>
        {
            using var detaching = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await using Stream screen = Console.OpenStandardOutput();
            using var terminal = new RawTerminal();
            IAsyncEnumerable<ConsoleInput> keys = ReadKeysAsync(result.GetRequiredValue(name), detaching, detaching.Token);
            try
            {
                await foreach (ConsoleOutput piece in caller.DuplexAsync(VmMethods.Console, keys, null, detaching.Token).ConfigureAwait(false))
                {
                    await screen.WriteAsync(piece.Data.Memory, detaching.Token).ConfigureAwait(false);
                    await screen.FlushAsync(detaching.Token).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (detaching.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
            }

            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>What is typed, up to the detach key or the end of the input. At the latter the console stays until the VM ends it.</summary>
    private static async IAsyncEnumerable<ConsoleInput> ReadKeysAsync(
        string vm, CancellationTokenSource detaching, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new ConsoleInput { Name = vm };
        await using Stream keyboard = Console.OpenStandardInput();
        byte[] buffer = new byte[InputLengthMax];
        while (await keyboard.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var read)
        {
            int detach = Array.IndexOf(buffer, DetachKey, 0, read);
            if (detach >= 0)
            {
                await detaching.CancelAsync().ConfigureAwait(false);
                yield break;
            }

            yield return new ConsoleInput { Data = ByteString.CopyFrom(buffer, 0, read) };
        }
    }
}
