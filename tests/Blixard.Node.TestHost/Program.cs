using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using Blixard.Cluster.Tokens;
using Blixard.Node;
using Blixard.Node.Configuration;
using Blixard.Node.Events;

// Runs a node until SIGTERM: NAME DIRECTORY [TICKET]. BLIXARD_* variables change its other options. Each event is a line of JSON; a failure is a line {"failure","message"}.
var options = new NodeOptions
{
    Name = args[0],
    DataDirectory = args[1],
    Bind = [new IPEndPoint(IPAddress.Loopback, 0)],
    Grpc = new IPEndPoint(IPAddress.Loopback, 0),
    Vcpus = 4,
    MemoryMib = 4096,
};
options = NodeEnvironment.Apply(options, Environment.GetEnvironmentVariable);
NodeStart start = args.Length > 2 && JoinTicket.TryParse(args[2], out JoinTicket? ticket, out _) ? new NodeStart.Join(ticket) : new NodeStart.Up();
try
{
    await using BlixardNode node = await BlixardNode.StartAsync(options, start);
    var stopped = new TaskCompletionSource();
    using PosixSignalRegistration terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
    {
        context.Cancel = true;
        stopped.TrySetResult();
    });
    _ = Task.Run(async () =>
    {
        await foreach (NodeEvent item in node.WatchEventsAsync())
            Console.WriteLine(JsonSerializer.Serialize(item, NodeEventJson.Default.NodeEvent));
    });
    await Task.WhenAny(node.Ended, stopped.Task);
    return 0;
}
catch (NodeStartException e)
{
    Console.WriteLine($"{{\"failure\":\"{e.Failure}\",\"message\":{JsonSerializer.Serialize(e.Message)}}}");
    return 1;
}
