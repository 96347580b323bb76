namespace Iroh.Protocols;

/// <summary>Serves the connections of one protocol.</summary>
public interface IProtocolHandler
{
    /// <summary>
    /// Serves one connection from a peer that has proved its id. When the task completes, the connection is closed with code 0
    /// if it is still up; when it fails, with <see cref="ProtocolRouter.HandlerFailedCode"/>.
    /// </summary>
    /// <param name="connection">The connection; the router disposes it.</param>
    /// <param name="cancellationToken">Cancelled when the router stops.</param>
    Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken);
}
