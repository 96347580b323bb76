using Iroh;
using Iroh.Relay.Client;

namespace Blixard.Cli.Net;

/// <summary>A ticket should name the relay; without it the command still serves at its own addresses.</summary>
internal static class RelayPatience
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <summary>Waits a while for the endpoint's relay, and says on the standard error what keeps it.</summary>
    public static async Task WaitAsync(IrohEndpoint endpoint, CancellationToken cancellationToken)
    {
        try
        {
            await endpoint.WaitOnlineAsync(cancellationToken).WaitAsync(s_patience, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            foreach (RelayClientStatus relay in endpoint.RelayStatuses)
                await Console.Error.WriteLineAsync($"relay {relay.Url}: {relay.LastError ?? "no answer yet"}; the ticket does not name it, trying goes on").ConfigureAwait(false);
        }
    }
}
