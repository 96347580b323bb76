using System.Text.Json;
using System.Text.Json.Nodes;
using Blixard.Cli.Output;
using Blixard.Node;
using Blixard.Node.Events;
using Microsoft.Extensions.Logging;

namespace Blixard.Cli.Cluster;

/// <summary>Runs a node until it is told to stop, and shows what happens to it.</summary>
internal static class NodeForeground
{
    public static async Task<ExitCode> RunAsync(
        NodeOptions options, NodeStart start, bool isVerbose, CommandOutput output, CancellationToken cancellationToken)
    {
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
            .AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.TimestampFormat = "HH:mm:ss.fff ";
                console.UseUtcTimestamp = true;
            })
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
            .AddFilter("", isVerbose ? LogLevel.Information : LogLevel.Warning)
            .AddFilter("Microsoft", LogLevel.Warning)
            // Of what etcd warns of most is usual when members come and go; its state is in the events.
            .AddFilter("etcd", isVerbose ? LogLevel.Information : LogLevel.Error)
            // What it would log with its whole stack is thrown as well, and ends up as one sentence.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None));
        BlixardNode node = await BlixardNode.StartAsync(options, start, loggers, cancellationToken).ConfigureAwait(false);
        Task showing = ShowAsync(node, output);
        try
        {
            await node.Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C or SIGTERM: the usual end.
        }
        finally
        {
            await node.DisposeAsync().ConfigureAwait(false);
            await showing.ConfigureAwait(false);
        }

        return ExitCode.Done;
    }

    private static async Task ShowAsync(BlixardNode node, CommandOutput output)
    {
        await foreach (NodeEvent item in node.WatchEventsAsync().ConfigureAwait(false))
        {
            JsonObject json = JsonSerializer.SerializeToNode(item, NodeEventJson.Default.NodeEvent)!.AsObject();
            output.Write(json, Describe(item, json));
        }
    }

    private static string Describe(NodeEvent item, JsonObject json) => item switch
    {
        ReadyEvent ready =>
            $"{ready.Name} is ready as {ready.Role} of cluster {ready.ClusterId}\n"
            + $"  id    {ready.EndpointId ?? "none: the key cannot be read"}\n  gRPC  {ready.Grpc ?? "not served"}\n  API   {ready.Api}"
            + (ready.Http is { } http ? $"\n  HTTP  http://{http}/metrics" : ""),
        // The other events read well as their name and facts.
        _ => $"{json["event"]}: " + string.Join(
            ", ", json.Where(field => field.Key != "event" && field.Value is not null && field.Value.ToString().Length > 0).Select(field => $"{field.Key} {field.Value}")),
    };
}
