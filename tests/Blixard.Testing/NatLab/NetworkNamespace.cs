using System.Runtime.InteropServices;
using Blixard.Testing.Namespaces;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Testing.NatLab;

/// <summary>Does things inside a network namespace from this process (setns(2)). What is opened there stays there, whoever uses it.</summary>
public static partial class NetworkNamespace
{
    private const int NewNetwork = 0x40000000; // CLONE_NEWNET

    /// <summary>Runs a short function with the namespace as its network, on a thread of its own.</summary>
    /// <param name="name">The namespace, as <c>ip netns</c> calls it.</param>
    /// <param name="function">Opens sockets or devices.</param>
    /// <exception cref="LabException">There is no such namespace, or this process may not enter it.</exception>
    public static async Task<T> RunAsync<T>(string name, Func<T> function)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The thread ends with the function: none that is used for something else may be left in the namespace.
        new Thread(() =>
        {
            try
            {
                Enter(name);
                done.SetResult(function());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }) { IsBackground = true, Name = $"in {name}" }.Start();
        return await done.Task.ConfigureAwait(false);
    }

    private static void Enter(string name)
    {
        try
        {
            using SafeFileHandle handle = File.OpenHandle(Path.Combine("/var/run/netns", name));
            if (SetNamespace(handle, NewNetwork) != 0)
                throw new LabException($"the namespace {name} cannot be entered: error {Marshal.GetLastPInvokeError()}");
        }
        catch (IOException e)
        {
            throw new LabException($"there is no namespace {name}: {e.Message}", e);
        }
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNamespace(SafeFileHandle handle, int type);
}
