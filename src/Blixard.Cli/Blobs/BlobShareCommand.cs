using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Net;
using Blixard.Cli.Output;
using Iroh;
using Iroh.Blobs;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Protocols;

namespace Blixard.Cli.Blobs;

/// <summary><c>blob share</c>: gives files to whoever has the ticket, until stopped.</summary>
internal static class BlobShareCommand
{
    public static Command Create()
    {
        var paths = new Argument<string[]>("path") { Description = "Files and folders. More than one file goes as a collection with their names.", Arity = ArgumentArity.OneOrMore };
        var endpointOptions = new EndpointOptions();
        var command = new Command("share", "Give files to whoever has the ticket, until stopped. The files stay where they are and must not change.") { paths };
        endpointOptions.AddTo(command);
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            using var folder = new TemporaryFolder("blixard-share-");
            await using DiskBlobStore store = DiskBlobStore.Open(folder.Path, new BlobStoreOptions { FlushesToDisk = false });
            SharedFiles files = await AddAsync(store, result.GetRequiredValue(paths), cancellationToken).ConfigureAwait(false);
            await using IrohEndpoint endpoint = await endpointOptions.BindAsync(result, [], cancellationToken).ConfigureAwait(false);
            using var provider = new BlobProvider(store, new BlobProviderOptions { Events = new ReportedRequests(output) });
            await using var router = new ProtocolRouter(
                endpoint, new Dictionary<string, IProtocolHandler> { [BlobProvider.ApplicationProtocol] = provider },
                (connection, exception) => Console.Error.WriteLine($"{connection}: {exception.Message}"));
            await RelayPatience.WaitAsync(endpoint, cancellationToken).ConfigureAwait(false);
            Announce(endpoint, files, output);
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<SharedFiles> AddAsync(IBlobStore store, string[] paths, CancellationToken cancellationToken)
    {
        await using var line = new ProgressLine(Console.Error, !Console.IsErrorRedirected);
        return await SharedFiles.AddAsync(
            store, paths, (hashed, total) => line.Show("hashing", (ulong)hashed, (ulong)total, 0), cancellationToken).ConfigureAwait(false);
    }

    private static void Announce(IrohEndpoint endpoint, SharedFiles files, CommandOutput output)
    {
        var ticket = new BlobTicket(endpoint.Address, files.Content.Hash, files.Content.Format);
        output.Write(
            new JsonObject
            {
                ["event"] = "sharing",
                ["ticket"] = ticket.ToString(),
                ["hash"] = files.Content.Hash.ToString(),
                ["format"] = BlobJson.NameOf(files.Content.Format),
                ["bytes"] = files.Bytes,
                ["files"] = files.Count,
                ["endpointId"] = endpoint.Id.ToString(),
            },
            $"sharing      {files.Count} {(files.Count == 1 ? "file" : "files")}, {HumanText.Bytes((ulong)files.Bytes)}\nhash         {files.Content.Hash}\nticket       {ticket}");
    }

    /// <summary>Shows who fetched what.</summary>
    private sealed class ReportedRequests(CommandOutput output) : IBlobProviderEvents
    {
        public void OnStarted(BlobRequestInfo request)
        {
        }

        public void OnProgress(BlobRequestInfo request, long bytes)
        {
        }

        public void OnEnded(BlobRequestInfo request, BlobRequestOutcome outcome, long bytes, TimeSpan duration)
        {
            // Observers and probes of the size are no news.
            if (request.Kind == BlobRequestKind.Observe || (outcome == BlobRequestOutcome.Completed && bytes == 0))
                return;
            string hash = request.Hashes.Count == 1 ? request.Hashes[0].ToString() : $"{request.Hashes.Count} blobs";
            output.Write(
                new JsonObject
                {
                    ["event"] = "request",
                    ["remoteId"] = request.Peer.ToString(),
                    ["hash"] = hash,
                    ["outcome"] = outcome.ToString().ToLowerInvariant(),
                    ["bytes"] = bytes,
                    ["seconds"] = Math.Round(duration.TotalSeconds, 3),
                },
                $"{outcome.ToString().ToLowerInvariant(),-12} {request.Peer.ToShortString()}  {HumanText.Bytes((ulong)bytes)} in {duration.TotalSeconds:0.0} s");
        }
    }
}
