using System.Net.Sockets;
using Iroh.Dns.Multicast;

namespace Iroh.Lookup;

/// <summary>Multicast DNS cannot be used on this machine. The message says why.</summary>
public sealed class MulticastUnavailableException : Exception
{
    internal MulticastUnavailableException(SocketException inner)
        : base(
            $"Multicast DNS cannot be used: UDP port {MulticastMessage.Port} cannot be bound ({inner.Message}). Another program may hold it without sharing it.",
            inner)
    {
    }
}
