using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server.Names;

public sealed partial class NameServer
{
    [LoggerMessage(3001, LogLevel.Information, "Answering DNS for {Origins} at {EndPoints}; {Packets} packets loaded")]
    private static partial void LogStarted(ILogger logger, string origins, string endPoints, int packets);

    [LoggerMessage(3002, LogLevel.Error, "Old packets cannot be removed from the database")]
    private static partial void LogTrimFailed(ILogger logger, Exception exception);
}
