using System.Diagnostics;
using System.Net;

namespace Blixard.Testing.Namespaces;

/// <summary>
/// A machine of a lab: a network namespace. In a <see cref="NetworkLab"/> it has one address on the lab's only network; in an
/// <see cref="NatLab.InternetLab"/> it has those of the site where it is.
/// </summary>
public sealed class LabHost
{
    internal LabHost(string name, string networkNamespace, IPAddress address) => (Name, Namespace, Address) = (name, networkNamespace, address);

    /// <summary>Its name in the lab.</summary>
    public string Name { get; }

    /// <summary>The namespace, as <c>ip netns</c> calls it.</summary>
    public string Namespace { get; }

    /// <summary>Its address, IPv4 where it has one.</summary>
    public IPAddress Address { get; internal set; }

    /// <summary>Its public IPv6 address; null if it has none.</summary>
    public IPAddress? AddressV6 { get; internal set; }

    /// <summary>A program that will run on this machine. Its process id is that of the process that is started.</summary>
    public ProcessStartInfo Command(string program, params IEnumerable<string> arguments) =>
        new("ip", ["netns", "exec", Namespace, program, .. arguments]);

    /// <summary>The processes on this machine.</summary>
    public async Task<IReadOnlyList<int>> GetProcessesAsync() =>
        [.. (await LabCommand.RunAsync("ip", ["netns", "pids", Namespace]).ConfigureAwait(false))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];

    /// <summary>Ends every process on this machine by SIGKILL, as if the power failed, and waits until none is left.</summary>
    /// <exception cref="LabException">They do not end.</exception>
    public async Task KillAllAsync()
    {
        // A process that is being made while we look is seen at the next look.
        for (int round = 0; round < 200; round++)
        {
            IReadOnlyList<int> processes = await GetProcessesAsync().ConfigureAwait(false);
            if (processes.Count == 0)
                return;
            foreach (int process in processes)
                LabProcess.Signal(process, LabSignal.Kill);
            await Task.Delay(20).ConfigureAwait(false);
        }

        throw new LabException($"processes on {Name} do not end although they were killed");
    }
}
