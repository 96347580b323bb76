using System.CommandLine;
using System.Text.Json.Nodes;
using Iroh;
using Iroh.Base;

namespace Blixard.Cli.Net;

/// <summary><c>net ping</c>: measures round trips to an endpoint.</summary>
internal static class NetPingCommand
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var ticket = new Argument<string>("ticket") { Description = "The endpoint's ticket, or with a look-up service its id." };
        var count = new Option<int?>("-c", "--count") { Description = "How many pings; default: until stopped.", HelpName = "N" };
        var protocol = new Option<string>("--alpn")
        {
            Description = "The protocol to ping with; any whose peer echoes streams will do.",
            DefaultValueFactory = _ => PingProtocol.Name,
            HelpName = "NAME",
        };
        count.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1)
                result.AddError("-c takes a number from 1 on.");
        });
        var endpointOptions = new EndpointOptions();
        var command = new Command("ping", "Measure round trips to an endpoint.") { ticket, count, protocol };
        endpointOptions.AddTo(command);
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            EndpointAddress address = endpointOptions.ParsePeer(result, result.GetRequiredValue(ticket));
            await using IrohEndpoint endpoint = await endpointOptions.BindAsync(result, [], cancellationToken).ConfigureAwait(false);
            await using IrohConnection connection =
                await endpoint.ConnectAsync(address, result.GetRequiredValue(protocol), cancellationToken).ConfigureAwait(false);
            for (int seq = 1; seq <= (result.GetValue(count) ?? int.MaxValue); seq++)
            {
                if (seq > 1)
                    await Task.Delay(s_interval, cancellationToken).ConfigureAwait(false);
                TimeSpan roundTrip = await PingAsync(connection, cancellationToken).ConfigureAwait(false);
                IrohPath path = connection.Path;
                double milliseconds = PathJson.Milliseconds(roundTrip);
                output.Write(
                    new JsonObject { ["seq"] = seq, ["rttMs"] = milliseconds, ["path"] = PathJson.Create(path) },
                    $"seq {seq}  {milliseconds:0.000} ms  {path.Kind.ToString().ToLowerInvariant()} {path.RemoteText}");
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<TimeSpan> PingAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            return await PingProtocol.PingAsync(connection, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(
                ExitCode.Unreachable, $"Endpoint {connection.RemoteId.ToShortString()} did not answer a ping within {s_limit.TotalSeconds} s.", exception);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            throw new CommandException(
                ExitCode.Failed,
                $"Endpoint {connection.RemoteId.ToShortString()} accepts {connection.ApplicationProtocol}, but does not answer pings as that protocol has it. "
                + "With --alpn, name one whose streams it echoes.",
                exception);
        }
    }
}
