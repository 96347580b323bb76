using System.CommandLine;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Blixard.Cli.Output;
using Iroh;
using Iroh.Base;
using Iroh.Quic;

namespace Blixard.Cli.Net;

/// <summary><c>net connect</c>: dials an endpoint, sends a file over one or several streams, and takes what comes back.</summary>
internal static class NetConnectCommand
{
    private static readonly TimeSpan s_datagramLimit = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var ticket = new Argument<string>("ticket") { Description = "The endpoint's ticket, or with a look-up service its id." };
        var protocol = new Option<string>("--alpn") { Description = "The protocol to speak.", Required = true, HelpName = "NAME" };
        var send = new Option<string?>("--send") { Description = "File to send on every stream; '-' is standard input.", HelpName = "FILE" };
        var receive = new Option<string?>("--recv") { Description = "File for what comes back, stream after stream.", HelpName = "FILE" };
        var streams = new Option<int>("--streams") { Description = "How many streams at once.", DefaultValueFactory = _ => 1, HelpName = "N" };
        var datagrams = new Option<int>("--datagrams") { Description = "How many datagrams to send and await back.", HelpName = "N" };
        var unidirectional = new Option<bool>("--uni") { Description = "Send on unidirectional streams and await as many of the peer's." };
        streams.Validators.Add(result => RequireRange(result, "--streams", 1, 10_000));
        datagrams.Validators.Add(result => RequireRange(result, "--datagrams", 0, 1_000_000));
        var endpointOptions = new EndpointOptions();
        var command = new Command("connect", "Dial an endpoint and exchange data with it.") { ticket, protocol, send, receive, streams, datagrams, unidirectional };
        endpointOptions.AddTo(command);
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            EndpointAddress address = endpointOptions.ParsePeer(result, result.GetRequiredValue(ticket));
            byte[]? data = await ReadInputAsync(result.GetValue(send), cancellationToken).ConfigureAwait(false);
            await using IrohEndpoint endpoint = await endpointOptions.BindAsync(result, [], cancellationToken).ConfigureAwait(false);
            await using IrohConnection connection =
                await endpoint.ConnectAsync(address, result.GetRequiredValue(protocol), cancellationToken).ConfigureAwait(false);
            IrohPath path = connection.Path;
            ReportConnected(connection, path, output);
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task watching = PathReport.WatchAsync(connection, path, output, ending.Token);

            long start = Stopwatch.GetTimestamp();
            long sent = 0;
            var received = new List<byte[]>();
            if (data is not null)
            {
                int count = result.GetValue(streams);
                received.AddRange(await Task.WhenAll(Enumerable.Range(0, count).Select(_ => result.GetValue(unidirectional)
                    ? ExchangeUnidirectionalAsync(connection, data, cancellationToken)
                    : ExchangeAsync(connection, data, cancellationToken))).ConfigureAwait(false));
                sent += (long)count * data.Length;
            }

            for (int i = 0; i < result.GetValue(datagrams); i++)
            {
                byte[] datagram = RandomNumberGenerator.GetBytes(Math.Min(1_000, connection.MaxDatagramSize));
                received.Add(await ExchangeDatagramAsync(connection, datagram, cancellationToken).ConfigureAwait(false));
                sent += datagram.Length;
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            if (result.GetValue(receive) is { } file)
                await WriteAllAsync(file, received, cancellationToken).ConfigureAwait(false);
            await ending.CancelAsync().ConfigureAwait(false);
            await watching.ConfigureAwait(false);
            ReportDone(sent, received, elapsed, output);
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<byte[]> ExchangeAsync(IrohConnection connection, byte[] data, CancellationToken cancellationToken)
    {
        await using QuicStream stream = await connection.OpenBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
        Task writing = WriteAsync(stream, data, cancellationToken);
        byte[] answer = await ReadToEndAsync(stream, cancellationToken).ConfigureAwait(false);
        await writing.ConfigureAwait(false);
        return answer;
    }

    private static async Task<byte[]> ExchangeUnidirectionalAsync(IrohConnection connection, byte[] data, CancellationToken cancellationToken)
    {
        await using QuicStream stream = await connection.OpenUnidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
        Task writing = WriteAsync(stream, data, cancellationToken);
        await using QuicStream answer = await connection.AcceptUnidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
        byte[] received = await ReadToEndAsync(answer, cancellationToken).ConfigureAwait(false);
        await writing.ConfigureAwait(false);
        return received;
    }

    private static async Task<byte[]> ExchangeDatagramAsync(IrohConnection connection, byte[] datagram, CancellationToken cancellationToken)
    {
        await connection.SendDatagramAsync(datagram, cancellationToken).ConfigureAwait(false);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_datagramLimit);
        try
        {
            return await connection.ReceiveDatagramAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(
                ExitCode.Unreachable, $"A datagram did not come back within {s_datagramLimit.TotalSeconds} s: lost, or the peer does not echo.", exception);
        }
    }

    private static async Task WriteAsync(QuicStream stream, byte[] data, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(data, cancellationToken).ConfigureAwait(false);
        stream.CompleteWrites();
        await stream.WritesFinished.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<byte[]> ReadToEndAsync(QuicStream stream, CancellationToken cancellationToken)
    {
        using var received = new MemoryStream();
        await stream.CopyToAsync(received, cancellationToken).ConfigureAwait(false);
        return received.ToArray();
    }

    private static async Task<byte[]?> ReadInputAsync(string? path, CancellationToken cancellationToken)
    {
        if (path != "-")
            return path is null ? null : await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false);
        using var input = new MemoryStream();
        await Console.OpenStandardInput().CopyToAsync(input, cancellationToken).ConfigureAwait(false);
        return input.ToArray();
    }

    private static async Task WriteAllAsync(string path, List<byte[]> parts, CancellationToken cancellationToken)
    {
        await using FileStream file = File.Create(path);
        foreach (byte[] part in parts)
            await file.WriteAsync(part, cancellationToken).ConfigureAwait(false);
    }

    private static void ReportConnected(IrohConnection connection, IrohPath path, CommandOutput output)
    {
        double handshake = PathJson.Milliseconds(connection.HandshakeDuration);
        output.Write(
            new JsonObject
            {
                ["event"] = "connected",
                ["remoteId"] = connection.RemoteId.ToString(),
                ["alpn"] = connection.ApplicationProtocol,
                ["handshakeMs"] = handshake,
                ["path"] = PathJson.Create(path),
            },
            $"connected to {connection.RemoteId} in {handshake} ms, {PathJson.ToText(path)}");
    }

    private static void ReportDone(long sent, List<byte[]> received, TimeSpan elapsed, CommandOutput output)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (byte[] part in received)
            hash.AppendData(part);
        string sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
        long receivedBytes = received.Sum(part => (long)part.Length);
        output.Write(
            new JsonObject
            {
                ["event"] = "done",
                ["bytesSent"] = sent,
                ["bytesReceived"] = receivedBytes,
                ["seconds"] = Math.Round(elapsed.TotalSeconds, 6),
                ["sha256Received"] = sha256,
            },
            $"sent {sent} bytes, received {receivedBytes} bytes (SHA-256 {sha256}) in {elapsed.TotalSeconds:0.000} s");
    }

    private static void RequireRange(System.CommandLine.Parsing.OptionResult result, string name, int min, int max)
    {
        if (result.GetValueOrDefault<int>() is int value && (value < min || value > max))
            result.AddError($"{name} takes a number from {min} to {max}.");
    }
}
