using System.Net;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server;

public sealed partial class RelayService
{
    [LoggerMessage(EventId = 7001, EventName = "ClientLetIn", Level = LogLevel.Debug, Message = "{Id} is connected from {Address}")]
    private static partial void LogLetIn(ILogger logger, EndpointId id, IPAddress? address);

    [LoggerMessage(EventId = 7002, EventName = "ClientLeft", Level = LogLevel.Debug, Message = "{Id} has left")]
    private static partial void LogLeft(ILogger logger, EndpointId id);

    [LoggerMessage(EventId = 7003, EventName = "ClientDropped", Level = LogLevel.Information, Message = "{Id} was dropped: {Reason}")]
    private static partial void LogDropped(ILogger logger, EndpointId id, string reason);

    [LoggerMessage(EventId = 7004, EventName = "ClientDenied", Level = LogLevel.Information, Message = "{Id} from {Address} was not let in: {Reason}")]
    private static partial void LogDenied(ILogger logger, EndpointId id, IPAddress? address, string reason);

    [LoggerMessage(EventId = 7005, EventName = "AccessFailed", Level = LogLevel.Error, Message = "Whether {Id} may be let in cannot be decided, so it is not")]
    private static partial void LogAccessFailed(ILogger logger, Exception exception, EndpointId id);

    [LoggerMessage(EventId = 7006, EventName = "Draining", Level = LogLevel.Information, Message = "Closing {Count} connections")]
    private static partial void LogDraining(ILogger logger, int count);
}
