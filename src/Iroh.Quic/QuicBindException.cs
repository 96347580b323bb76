using System.Net;
using System.Net.Sockets;

namespace Iroh.Quic;

/// <summary>An endpoint's UDP socket could not be bound. The message names the address and what to do about it.</summary>
public sealed class QuicBindException : QuicException
{
    internal QuicBindException(IPEndPoint address, SocketError error, string message)
        : base(message) => (Address, Error) = (address, error);

    /// <summary>The address that was to be bound.</summary>
    public IPEndPoint Address { get; }

    /// <summary>The kind of failure; <see cref="SocketError.SocketError"/> for one that has no name here.</summary>
    public SocketError Error { get; }

    /// <summary>True if the port was taken, which ends when the other program does.</summary>
    public override bool IsTransient => Error == SocketError.AddressAlreadyInUse;
}
