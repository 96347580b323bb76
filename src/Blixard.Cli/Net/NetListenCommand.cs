using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Output;
using Iroh;
using Iroh.Base;
using Iroh.Protocols;
using Iroh.Quic;

namespace Blixard.Cli.Net;

/// <summary><c>net listen</c>: accepts connections, shows them, and echoes what they send if asked to.</summary>
internal static class NetListenCommand
{
    public static Command Create()
    {
        var protocol = new Option<string>("--alpn") { Description = "The protocol to accept.", Required = true, HelpName = "NAME" };
        var echo = new Option<bool>("--echo") { Description = "Send back every stream and datagram." };
        var endpointOptions = new EndpointOptions();
        var command = new Command("listen", "Accept connections by key until stopped.") { protocol, echo };
        endpointOptions.AddTo(command);
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            await using IrohEndpoint endpoint = await endpointOptions.BindAsync(result, [], cancellationToken).ConfigureAwait(false);
            IProtocolHandler handler = result.GetValue(echo) ? new EchoProtocol() : new HoldProtocol();
            var handlers = new Dictionary<string, IProtocolHandler>
            {
                [PingProtocol.Name] = new ReportingHandler(new PingProtocol(), output),
                [result.GetRequiredValue(protocol)] = new ReportingHandler(handler, output),
            };
            await using var router = new ProtocolRouter(
                endpoint, handlers, (connection, exception) => Console.Error.WriteLine($"{connection}: {exception.Message}"));
            await RelayPatience.WaitAsync(endpoint, cancellationToken).ConfigureAwait(false);
            Announce(endpoint, output);
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Announce(IrohEndpoint endpoint, CommandOutput output)
    {
        EndpointAddress address = endpoint.Address;
        string ticket = endpoint.Ticket.ToString();
        string[] direct = [.. address.DirectAddresses.Select(item => item.ToString())];
        output.Write(
            new JsonObject
            {
                ["event"] = "listening",
                ["endpointId"] = endpoint.Id.ToString(),
                ["ticket"] = ticket,
                ["directAddresses"] = new JsonArray([.. direct.Select(item => JsonValue.Create(item))]),
                ["relayUrl"] = endpoint.HomeRelay?.ToString(),
            },
            $"listening as {endpoint.Id}\nat           {string.Join(", ", direct)}"
                + (endpoint.HomeRelay is { } relay ? $"\nrelay        {relay}" : "") + $"\nticket       {ticket}");
    }

    /// <summary>Keeps a connection open until the peer closes it.</summary>
    private sealed class HoldProtocol : IProtocolHandler
    {
        public Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken) =>
            connection.Closed.WaitAsync(cancellationToken);
    }

    /// <summary>Shows the connections that another handler serves.</summary>
    private sealed class ReportingHandler(IProtocolHandler handler, CommandOutput output) : IProtocolHandler
    {
        public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
        {
            string id = connection.RemoteId.ToString();
            output.Write(
                new JsonObject { ["event"] = "connected", ["remoteId"] = id, ["alpn"] = connection.ApplicationProtocol },
                $"connected    {id} {connection.ApplicationProtocol}");
            Task watching = PathReport.WatchAsync(connection, null, output, cancellationToken);
            try
            {
                await handler.AcceptAsync(connection, cancellationToken).ConfigureAwait(false);
            }
            catch (QuicConnectionException) when (connection.Closed.IsCompleted)
            {
            }
            finally
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                QuicCloseReason reason = await connection.Closed.ConfigureAwait(false);
                await watching.ConfigureAwait(false);
                output.Write(
                    new JsonObject
                    {
                        ["event"] = "closed",
                        ["remoteId"] = id,
                        ["kind"] = reason.Kind.ToString(),
                        ["code"] = reason.Code,
                        ["reason"] = reason.Reason,
                    },
                    $"closed       {connection.RemoteId.ToShortString()} {reason}");
            }
        }
    }
}
