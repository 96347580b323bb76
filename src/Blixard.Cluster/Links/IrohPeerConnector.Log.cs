using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Cluster.Links;

public sealed partial class IrohPeerConnector
{
    [LoggerMessage(EventId = 5101, EventName = "LinkChanged", Level = LogLevel.Information, Message = "Link to {Peer}: {State} {Reason}")]
    private partial void LogLink(string peer, LinkState state, string reason);

    [LoggerMessage(EventId = 5102, EventName = "LinkRefused", Level = LogLevel.Warning, Message = "{Peer} was refused a link: {Reason}")]
    private partial void LogRefused(string peer, string reason);

    [LoggerMessage(EventId = 5103, EventName = "KeyConflict", Level = LogLevel.Error,
        Message = "Another running node has the same key as this one, says {Peer}. Stop one of the two, or remove this node's key file to give it a new identity")]
    private partial void LogKeyConflict(string peer);

    [LoggerMessage(EventId = 5104, EventName = "ConnectionEnded", Level = LogLevel.Debug, Message = "The connection of {Peer} ended: {Reason}")]
    private partial void LogConnectionEnded(EndpointId peer, string reason);
}
