using Microsoft.Extensions.Logging;

namespace Blixard.Etcd.Process;

public sealed partial class EtcdServer
{
    [LoggerMessage(EventId = 8101, EventName = "EtcdStarted", Level = LogLevel.Information, Message = "etcd {Version} started in {Directory} (process {ProcessId})")]
    private partial void LogStarted(Version version, string directory, int processId);

    [LoggerMessage(EventId = 8102, EventName = "EtcdServing", Level = LogLevel.Information, Message = "etcd serves, {Milliseconds} ms after its start")]
    private partial void LogServing(long milliseconds);

    [LoggerMessage(EventId = 8103, EventName = "EtcdEnded", Level = LogLevel.Error, Message = "etcd ended and starts again in {Milliseconds} ms: {Reason}")]
    private partial void LogEnded(long milliseconds, string reason);

    [LoggerMessage(EventId = 8104, EventName = "EtcdRemoved", Level = LogLevel.Error, Message = "etcd ended for good: {Reason}")]
    private partial void LogRemoved(string reason);

    [LoggerMessage(EventId = 8105, EventName = "EtcdStopped", Level = LogLevel.Information, Message = "etcd stopped")]
    private partial void LogStopped();

    [LoggerMessage(EventId = 8106, EventName = "EtcdKilled", Level = LogLevel.Warning, Message = "etcd did not stop within {Milliseconds} ms and was killed")]
    private partial void LogKilled(long milliseconds);

    [LoggerMessage(EventId = 8107, EventName = "EtcdLeftOver", Level = LogLevel.Warning, Message = "Ended an etcd that a former run had left (process {ProcessId})")]
    private partial void LogLeftOver(int processId);
}
