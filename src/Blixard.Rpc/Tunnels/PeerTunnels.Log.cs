using Blixard.Rpc.Calls;
using Microsoft.Extensions.Logging;

namespace Blixard.Rpc.Tunnels;

public sealed partial class PeerTunnels
{
    [LoggerMessage(EventId = 4031, EventName = "TunnelsCut", Level = LogLevel.Information, Message = "{Count} {Target} tunnels to {Peer} over {Transport} are cut: {Reason}")]
    private partial void LogCut(int count, string target, string peer, RpcTransport transport, TunnelCutReason reason);

    [LoggerMessage(EventId = 4032, EventName = "TunnelOpened", Level = LogLevel.Debug, Message = "A {Target} tunnel to {Peer} is open over {Transport}")]
    private partial void LogOpened(string target, string peer, RpcTransport transport);

    [LoggerMessage(EventId = 4033, EventName = "TunnelOpenFailed", Level = LogLevel.Debug, Message = "No {Target} tunnel to {Peer} over {Transport}: {Reason}")]
    private partial void LogOpenFailed(string target, string peer, RpcTransport transport, string reason);
}
