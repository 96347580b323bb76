using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Blixard.MicroVm.Qemu;

/// <summary>Why QEMU could not open a port that leads into a guest. It names the port and no reason.</summary>
internal static class PortTrouble
{
    private const string Complaint = "Could not set up host forwarding rule 'tcp:127.0.0.1:";

    /// <summary>The port that QEMU could not open.</summary>
    /// <param name="said">What QEMU wrote to stderr.</param>
    /// <returns>Null if that is not what it complains about.</returns>
    public static int? Find(string said)
    {
        int at = said.IndexOf(Complaint, StringComparison.Ordinal);
        if (at < 0)
            return null;
        ReadOnlySpan<char> rest = said.AsSpan(at + Complaint.Length);
        int end = rest.IndexOf('-');
        return end > 0 && ushort.TryParse(rest[..end], NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) ? port : null;
    }

    /// <summary>Says why a port cannot be opened and what to do; the reason is found by trying to open it.</summary>
    public static string Explain(int port)
    {
        string what = $"127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)} of this node cannot be published: ";
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return what + "something else had it a moment ago; start the VM again";
        }
        catch (SocketException e)
        {
            return what + e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another program there has it; end that one, or publish another port",
                SocketError.AccessDenied => "the node's user may not open it; publish a port of 1024 or more",
                _ => e.Message,
            };
        }
    }
}
