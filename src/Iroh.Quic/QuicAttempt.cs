using Iroh.Quic.Driving;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic;

/// <summary>A dial under way. All members may be used from any thread.</summary>
public sealed class QuicAttempt
{
    private readonly EndpointDriver _endpoint;
    private readonly ConnectionDriver _driver;
    private readonly TimeSpan _timeout;

    internal QuicAttempt(EndpointDriver endpoint, ConnectionDriver driver, TimeSpan timeout) =>
        (_endpoint, _driver, _timeout) = (endpoint, driver, timeout);

    /// <summary>The connection, of use once <see cref="WaitAsync"/> has completed.</summary>
    public QuicConnection Connection => _driver.Connection;

    /// <summary>
    /// Another address at which the peer may be: what was sent so far goes there too, at once. Without effect when the peer has answered, when
    /// the address is known, when it has a family without a socket, or past 64 addresses.
    /// </summary>
    public void AddRemote(NetworkAddress remote)
    {
        if (_endpoint.CanReach(remote))
            _driver.AddCandidate(remote);
    }

    /// <summary>Waits for the handshake, within the time that it may take. To be called once.</summary>
    /// <param name="cancellationToken">Gives the attempt up.</param>
    /// <exception cref="QuicConnectionException">
    /// No connection came up: nobody answered in time, the peer refused or has another key, or no protocol is in common.
    /// </exception>
    public async ValueTask<QuicConnection> WaitAsync(CancellationToken cancellationToken = default)
    {
        QuicConnection connection = _driver.Connection;
        try
        {
            await connection.Connected.WaitAsync(_timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            connection.Close(0, default);
            throw;
        }
        catch (TimeoutException)
        {
            connection.Close(0, default);
            throw new QuicConnectionException(new QuicCloseReason(QuicCloseKind.TimedOut, 0, "no answer to the handshake"));
        }

        return connection;
    }
}
