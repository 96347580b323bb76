using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>
/// Finds out how the way between a host and the server of an <see cref="InternetLab"/> treats UDP, as RFC 5780 does with STUN: what the
/// lab says of a site is checked by this and not by the rules it was made of.
/// </summary>
public static class NatProbe
{
    // Sent datagrams arrive at once in a lab; an answer that is to come gets patience, one that is not to come costs this.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_silence = TimeSpan.FromMilliseconds(500);

    /// <summary>Probes with a fresh socket on the host.</summary>
    /// <param name="lab">The lab.</param>
    /// <param name="host">One of its hosts with an IPv4 address.</param>
    public static async Task<NatBehaviour> RunAsync(InternetLab lab, LabHost host)
    {
        using Socket near = await LabSocket.BindUdpAsync(host, new IPEndPoint(IPAddress.Any, 0)).ConfigureAwait(false);
        using Socket first = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.Address, 0)).ConfigureAwait(false);
        using Socket otherPort = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.Address, 0)).ConfigureAwait(false);
        using Socket otherAddress = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(InternetLab.SecondServerAddress, 0)).ConfigureAwait(false);
        if (await SeenByAsync(near, first).ConfigureAwait(false) is not { } mapped)
            return new NatBehaviour(false, false, false, false, NatFiltering.AddressAndPortDependent);

        // Filtering first: the host has sent to one address and port so far.
        NatFiltering filtering = await ReachesAsync(otherAddress, mapped, near).ConfigureAwait(false) ? NatFiltering.EndpointIndependent
            : await ReachesAsync(otherPort, mapped, near).ConfigureAwait(false) ? NatFiltering.AddressDependent
            : NatFiltering.AddressAndPortDependent;
        bool varies = !mapped.Equals(await SeenByAsync(near, otherPort).ConfigureAwait(false))
            || !mapped.Equals(await SeenByAsync(near, otherAddress).ConfigureAwait(false));
        return new NatBehaviour(
            true, !mapped.Address.Equals(host.Address), mapped.Port == ((IPEndPoint)near.LocalEndPoint!).Port, varies, filtering);
    }

    /// <summary>Where a server's socket sees a host's socket; null if nothing passes.</summary>
    public static async Task<IPEndPoint?> SeenByAsync(Socket near, Socket server)
    {
        byte[] question = RandomNumberGenerator.GetBytes(16);
        Task<IPEndPoint?> seen = LabSocket.WaitForAsync(server, question, s_patience);
        while (!seen.IsCompleted)
        {
            await near.SendToAsync(question, server.LocalEndPoint!).ConfigureAwait(false);
            await Task.WhenAny(seen, Task.Delay(100)).ConfigureAwait(false);
        }

        return await seen.ConfigureAwait(false);
    }

    private static async Task<bool> ReachesAsync(Socket sender, IPEndPoint mapped, Socket near)
    {
        byte[] datagram = RandomNumberGenerator.GetBytes(16);
        await sender.SendToAsync(datagram, mapped).ConfigureAwait(false);
        return await LabSocket.WaitForAsync(near, datagram, s_silence).ConfigureAwait(false) is not null;
    }
}
