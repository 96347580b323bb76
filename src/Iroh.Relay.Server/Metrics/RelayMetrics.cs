using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Iroh.Relay.Server.Metrics;

/// <summary>
/// A relay's counters as instruments of the meter "Iroh.Relay.Server" and as a page of text. The names are those of iroh's relay where
/// it has the same counter.
/// </summary>
internal sealed class RelayMetrics : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Iroh.Relay.Server";

    /// <summary>The media type of the page: the text exposition format 0.0.4 of Prometheus.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly Instrument[] _instruments;
    private readonly Meter _meter;

    /// <summary>Publishes the counters.</summary>
    /// <param name="counters">The counters.</param>
    /// <param name="clients">How many connections there are.</param>
    /// <param name="ids">How many ids they have.</param>
    /// <param name="meters">Makes the meter; null makes one that all listeners see.</param>
    public RelayMetrics(RelayCounters counters, Func<long> clients, Func<long> ids, IMeterFactory? meters)
    {
        _instruments =
        [
            new("relayserver_bytes_sent", "By", true, "Payload of datagrams sent to clients.", () => counters.BytesSent),
            new("relayserver_bytes_recv", "By", true, "Payload of datagrams received from clients.", () => counters.BytesReceived),
            new("relayserver_send_packets_sent", "{packet}", true, "Datagram frames sent to clients.", () => counters.PacketsSent),
            new("relayserver_send_packets_recv", "{packet}", true, "Datagram frames received from clients.", () => counters.PacketsReceived),
            new("relayserver_send_packets_dropped", "{packet}", true, "Datagram frames dropped: the destination is not here, or its queue was full.", () => counters.PacketsDropped),
            new("relayserver_got_ping", "{frame}", true, "Pings received from clients.", () => counters.PingsReceived),
            new("relayserver_sent_pong", "{frame}", true, "Pongs sent to clients.", () => counters.PongsSent),
            new("relayserver_unknown_frames", "{frame}", true, "Text messages, which mean nothing here and were ignored.", () => counters.UnexpectedMessages),
            new("relayserver_bytes_rx_ratelimited", "By", true, "Bytes after which a client was over its rate and was not read for a while.", () => counters.BytesRateLimited),
            new("relayserver_conns_rx_ratelimited", "{connection}", true, "Connections that were over their rate at least once.", () => counters.ConnectionsRateLimited),
            new("relayserver_accepts", "{connection}", true, "Connections that were let in.", () => counters.Accepts),
            new("relayserver_denials", "{connection}", true, "Connections that were not let in: access control, or a wrong signature.", () => counters.Denials),
            new("relayserver_protocol_errors", "{connection}", true, "Connections closed because the client broke the protocol.", () => counters.ProtocolErrors),
            new("relayserver_given_up", "{connection}", true, "Connections closed because the client gave no sign of life or took nothing.", () => counters.GivenUp),
            new("relayserver_disconnects", "{connection}", true, "Connections that were let in and have ended.", () => counters.Disconnects),
            new("relayserver_clients_inactive_added", "{connection}", true, "Connections that a newer one of the same id took the place of.", () => counters.InactiveAdded),
            new("relayserver_clients_inactive_removed", "{connection}", true, "Of those, connections that got their place back or ended.", () => counters.InactiveRemoved),
            new("relayserver_http_connections", "{connection}", true, "Requests that became WebSocket connections.", () => counters.Upgrades),
            new("relayserver_http_connections_refused", "{connection}", true, "Requests for one that were refused: malformed, too many, shutting down.", () => counters.UpgradesRefused),
            new("relayserver_clients", "{connection}", false, "Connections that are let in now.", clients),
            new("relayserver_unique_client_keys", "{key}", false, "Ids that are connected now.", ids),
        ];
        _meter = meters?.Create(new MeterOptions(MeterName)) ?? new Meter(MeterName);
        foreach (Instrument instrument in _instruments)
        {
            if (instrument.IsCounter)
                _meter.CreateObservableCounter(instrument.Name, instrument.Read, instrument.Unit, instrument.Help);
            else
                _meter.CreateObservableGauge(instrument.Name, instrument.Read, instrument.Unit, instrument.Help);
        }
    }

    /// <summary>All values as a page.</summary>
    public string Render()
    {
        var text = new StringBuilder();
        foreach (Instrument instrument in _instruments)
        {
            string name = instrument.IsCounter ? instrument.Name + "_total" : instrument.Name;
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {instrument.Help}\n# TYPE {name} {(instrument.IsCounter ? "counter" : "gauge")}\n");
            text.Append(CultureInfo.InvariantCulture, $"{name} {instrument.Read()}\n");
        }

        return text.ToString();
    }

    /// <summary>Ends the meter.</summary>
    public void Dispose() => _meter.Dispose();

    private sealed record Instrument(string Name, string Unit, bool IsCounter, string Help, Func<long> Read);
}
