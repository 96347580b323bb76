using Blixard.Rpc.Calls;
using Microsoft.Extensions.Logging;

namespace Blixard.Rpc.Peers;

public sealed partial class PeerChannel
{
    [LoggerMessage(EventId = 4021, EventName = "TransportSwitched", Level = LogLevel.Information, Message = "{Peer} is called over {To} from now on, no longer over {From}: {Reason}")]
    private static partial void LogSwitch(ILogger logger, string peer, RpcTransport from, RpcTransport to, TransportSwitchReason reason);
}
