using System.CommandLine;
using Blixard.Cli.Net.Doctor;

namespace Blixard.Cli.Net;

/// <summary>The commands that use the peer-to-peer library alone, without a cluster.</summary>
internal static class NetCommand
{
    public static Command Create() => new("net", "Dial and accept by public key, without a cluster.")
    {
        NetIdCommand.Create(),
        NetListenCommand.Create(),
        NetConnectCommand.Create(),
        NetPingCommand.Create(),
        NetBenchCommand.Create(),
        NetDoctorCommand.Create(),
    };
}
