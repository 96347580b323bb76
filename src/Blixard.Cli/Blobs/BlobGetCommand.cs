using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.Cli.Net;
using Blixard.Cli.Output;
using Iroh;
using Iroh.Blobs;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;

namespace Blixard.Cli.Blobs;

/// <summary><c>blob get</c>: fetches what tickets name, checks it, and writes it to files. What a try that was ended has fetched is kept beside
/// the target, and the next try goes on there.</summary>
internal static class BlobGetCommand
{
    public static Command Create()
    {
        var tickets = new Argument<string[]>("ticket")
        {
            Description = "What 'blob share' printed, here or with iroh. Several tickets for one content: it comes from all of them.", Arity = ArgumentArity.OneOrMore,
        };
        var target = new Option<string?>("--output", "-o") { Description = "The file, or for a collection the folder, to write. Default: the hash's first digits.", HelpName = "PATH" };
        var endpointOptions = new EndpointOptions();
        var command = new Command("get", "Fetch files from whoever shares them.") { tickets, target };
        endpointOptions.AddTo(command);
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            List<BlobTicket> from = Parse(result.GetRequiredValue(tickets));
            HashAndFormat content = new(from[0].Hash, from[0].Format);
            string path = Path.GetFullPath(result.GetValue(target) ?? content.Hash.ToShortString());
            if (File.Exists(path) || (Directory.Exists(path) && (content.Format == BlobFormat.Raw || Directory.EnumerateFileSystemEntries(path).Any())))
                throw new CommandException(ExitCode.Usage, $"{path} exists. Choose another path with --output.");
            string partial = $"{path}.{content.Hash.ToShortString()}.partial";
            var clock = Stopwatch.StartNew();
            (long bytes, int files) = await GetAsync(result, endpointOptions, from, content, path, partial, cancellationToken).ConfigureAwait(false);
            Directory.Delete(partial, recursive: true);
            double seconds = clock.Elapsed.TotalSeconds;
            output.Write(
                new JsonObject
                {
                    ["event"] = "done",
                    ["hash"] = content.Hash.ToString(),
                    ["format"] = BlobJson.NameOf(content.Format),
                    ["path"] = path,
                    ["files"] = files,
                    ["bytes"] = bytes,
                    ["seconds"] = Math.Round(seconds, 3),
                },
                $"{path}: {(files == 1 ? "" : $"{files} files, ")}{HumanText.Bytes((ulong)bytes)} in {seconds:0.0} s");
            return ExitCode.Done;
        });
        return command;
    }

    private static List<BlobTicket> Parse(string[] texts)
    {
        var tickets = new List<BlobTicket>();
        foreach (string text in texts)
        {
            if (!BlobTicket.TryParse(text, out BlobTicket? ticket, out string? problem))
                throw new CommandException(ExitCode.Usage, problem);
            if (tickets.Count > 0 && (ticket.Hash != tickets[0].Hash || ticket.Format != tickets[0].Format))
                throw new CommandException(ExitCode.Usage, "The tickets name different contents. Fetch them one after the other.");
            tickets.Add(ticket);
        }

        return tickets;
    }

    private static async Task<(long Bytes, int Files)> GetAsync(
        ParseResult result, EndpointOptions endpointOptions, IReadOnlyList<BlobTicket> from, HashAndFormat content, string path, string partial,
        CancellationToken cancellationToken)
    {
        // What a power cut takes can be fetched again, and what it leaves is checked before it is written to the target.
        await using DiskBlobStore store = DiskBlobStore.Open(partial, new BlobStoreOptions { FlushesToDisk = false });
        await using IrohEndpoint endpoint = await endpointOptions.BindAsync(result, [], cancellationToken).ConfigureAwait(false);
        await using var sources = new IrohBlobSources(endpoint);
        using var downloader = new BlobDownloader(store);
        await using (var line = new ProgressLine(Console.Error, !Console.IsErrorRedirected))
        {
            try
            {
                await downloader.DownloadAsync(
                    content, from.Select(ticket => sources.Create(ticket.Address)), new ShownProgress(line), cancellationToken).ConfigureAwait(false);
            }
            catch (BlobTransferException e) when (e.Failure is BlobTransferFailure.Lost or BlobTransferFailure.Stalled or BlobTransferFailure.Trickling)
            {
                throw new CommandException(ExitCode.Unreachable, e.Message, e);
            }
            catch (BlobTransferException e) when (e.Failure is BlobTransferFailure.Refused or BlobTransferFailure.Limited)
            {
                throw new CommandException(ExitCode.Refused, e.Message, e);
            }
        }

        if (content.Format == BlobFormat.Raw)
        {
            await store.ExportAsync(content.Hash, path, ExportMode.Reference, null, cancellationToken).ConfigureAwait(false);
            return (new FileInfo(path).Length, 1);
        }

        Collection collection = await ReadCollectionAsync(store, content.Hash, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<string> paths = CollectionPaths.Of(collection, path);
        long bytes = 0;
        for (int i = 0; i < paths.Count; i++)
        {
            // One content may stand under several names.
            await store.ExportAsync(collection.Entries[i].Hash, paths[i], ExportMode.Copy, null, cancellationToken).ConfigureAwait(false);
            bytes += new FileInfo(paths[i]).Length;
        }

        return (bytes, paths.Count);
    }

    private static async Task<Collection> ReadCollectionAsync(IBlobStore store, BlobHash root, CancellationToken cancellationToken)
    {
        byte[] sequence = await ReadAsync(store, root, HashSequence.LengthMax, cancellationToken).ConfigureAwait(false);
        if (!HashSequence.TryRead(sequence, out HashSequence hashes) || hashes.Count == 0)
            throw new CommandException(ExitCode.Failed, $"{root} is no list of hashes.");
        byte[] names = await ReadAsync(store, hashes[0], Collection.NamesLengthMax, cancellationToken).ConfigureAwait(false);
        return Collection.TryRead(hashes, names, out Collection? collection)
            ? collection
            : throw new CommandException(ExitCode.Failed, $"{root} is a list of hashes without names: no collection.");
    }

    private static async Task<byte[]> ReadAsync(IBlobStore store, BlobHash hash, int lengthMax, CancellationToken cancellationToken)
    {
        using IBlobContent content = store.TryOpen(hash) ?? throw new CommandException(ExitCode.Failed, $"{hash} is not here any more.");
        if (content.Size > lengthMax)
            throw new CommandException(ExitCode.Failed, $"{hash} has {content.Size} bytes; {lengthMax} are possible.");
        byte[] bytes = new byte[content.Size];
        await content.OpenStream().ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
        return bytes;
    }

    private sealed class ShownProgress(ProgressLine line) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => line.Show(
            value.Sources.Count == 1 ? value.Sources[0].Name : $"{value.Sources.Count(source => source.State != BlobSourceState.Dropped)} sources",
            (ulong)value.Present, (ulong)value.Total, (ulong)value.Sources.Sum(source => source.BytesPerSecond));
    }
}
