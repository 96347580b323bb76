using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Net.Bench;

namespace Blixard.Cli.Net;

/// <summary><c>net bench</c>: goodput over loopback with both ends in this process, beside TLS over TCP if asked for.</summary>
internal static class NetBenchCommand
{
    public static Command Create()
    {
        var seconds = new Option<double>("--seconds") { Description = "How long each measurement runs.", DefaultValueFactory = _ => 5, HelpName = "S" };
        var streams = new Option<int>("--streams") { Description = "How many streams share the connection.", DefaultValueFactory = _ => 1, HelpName = "N" };
        var mtu = new Option<int>("--mtu")
        {
            Description = "The largest datagram in bytes; 1452 is what Ethernet carries.", DefaultValueFactory = _ => 16_384, HelpName = "BYTES",
        };
        mtu.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1200 or > 16_384)
                result.AddError("--mtu takes a number from 1200 to 16384.");
        });
        var compare = new Option<string?>("--compare") { Description = "Measure this beside it, in the same process.", HelpName = "tls" };
        compare.AcceptOnlyFromAmong("tls");
        seconds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is < 0.1 or > 600)
                result.AddError("--seconds takes a number from 0.1 to 600.");
        });
        streams.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 100)
                result.AddError("--streams takes a number from 1 to 100.");
        });
        var command = new Command("bench", "Measure goodput over loopback, both ends in one process.") { seconds, streams, mtu, compare };
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            TimeSpan duration = TimeSpan.FromSeconds(result.GetValue(seconds));
            double quic = await IrohGoodput.MeasureAsync(duration, result.GetValue(streams), result.GetValue(mtu), cancellationToken).ConfigureAwait(false);
            var json = new JsonObject { ["gbitPerSecond"] = Math.Round(quic, 3) };
            string text = $"iroh over UDP  {quic,8:0.000} Gbit/s";
            if (result.GetValue(compare) is not null)
            {
                double tls = await TlsGoodput.MeasureAsync(duration, cancellationToken).ConfigureAwait(false);
                json["tlsGbitPerSecond"] = Math.Round(tls, 3);
                json["ratio"] = Math.Round(quic / tls, 3);
                text += $"\nTLS over TCP   {tls,8:0.000} Gbit/s\nratio          {quic / tls,8:0.000}";
            }

            output.Write(json, text);
            return ExitCode.Done;
        });
        return command;
    }
}
