using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.Cli.Output;
using Iroh.Blobs.Store;

namespace Blixard.Cli.Blobs;

/// <summary><c>blob check</c>: reads and hashes all that a store on this machine has, and puts right what is wrong if asked to.</summary>
internal static class BlobCheckCommand
{
    // Where a node keeps its store, below its data directory.
    private const string FolderOfNode = "blobs";

    public static Command Create()
    {
        var directory = new Argument<string>("directory")
        {
            Description = "A blob store, such as what 'blob get' keeps beside its target, or the data directory of a node that does not run.",
        };
        var repair = new Option<bool>("--repair")
        {
            Description = "Put right what is wrong: give up damaged parts of blobs, so that the next download fetches just these, and remove files that belong to nothing.",
        };
        var command = new Command("check", "Read and hash all that a blob store on this machine has, and say what is wrong.") { directory, repair };
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            string store = Find(Path.GetFullPath(result.GetRequiredValue(directory)));
            var clock = Stopwatch.StartNew();
            (CheckReport report, IReadOnlyList<BlobTag> tags) = await CheckAsync(store, result.GetValue(repair), cancellationToken).ConfigureAwait(false);
            output.Write(ToJson(store, report, tags, clock.Elapsed), ToText(store, report, tags, clock.Elapsed));
            return report.IsSound ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static string Find(string directory)
    {
        if (DiskBlobStore.IsStore(directory))
            return directory;
        string below = Path.Combine(directory, FolderOfNode);
        return DiskBlobStore.IsStore(below)
            ? below
            : throw new CommandException(ExitCode.Usage, $"There is no blob store in {directory}, and none in {below}.");
    }

    private static async Task<(CheckReport Report, IReadOnlyList<BlobTag> Tags)> CheckAsync(string directory, bool repair, CancellationToken cancellationToken)
    {
        try
        {
            await using DiskBlobStore store = DiskBlobStore.Open(directory);
            await using var line = new ProgressLine(Console.Error, !Console.IsErrorRedirected);
            CheckReport report = await store.CheckAsync(repair, new ShownProgress(line), cancellationToken).ConfigureAwait(false);
            return (report, store.ListTags());
        }
        catch (BlobStoreInUseException e)
        {
            throw new CommandException(
                ExitCode.Refused,
                $"{directory} is in use by {(e.ProcessId is { } id ? $"process {id}" : "another process")}, which may be a node. Stop it, and check again.", e);
        }
        catch (OperationCanceledException e)
        {
            // Nobody is to take this for a store without damage.
            throw new CommandException(ExitCode.Failed, $"The check of {directory} was ended before it had seen everything.", e);
        }
    }

    private static JsonObject ToJson(string directory, CheckReport report, IReadOnlyList<BlobTag> tags, TimeSpan time) => new()
    {
        ["directory"] = directory,
        ["blobs"] = report.CheckedBlobs,
        ["bytes"] = report.CheckedBytes,
        ["findings"] = new JsonArray([.. report.Findings.Select(finding => (JsonNode)new JsonObject
        {
            ["problem"] = BlobJson.NameOf(finding.Problem),
            ["hash"] = finding.Hash?.ToString(),
            ["tags"] = new JsonArray([.. NamesOf(finding, tags).Select(static name => (JsonNode)name)]),
            ["detail"] = finding.Detail,
            ["badBytes"] = finding.BadBytes,
            ["repaired"] = finding.IsRepaired,
        })]),
        ["badBytes"] = report.Findings.Sum(static finding => finding.BadBytes),
        ["sound"] = report.IsSound,
        ["seconds"] = Math.Round(time.TotalSeconds, 3),
    };

    private static string ToText(string directory, CheckReport report, IReadOnlyList<BlobTag> tags, TimeSpan time)
    {
        string seen = $"{directory}: {report.CheckedBlobs} {(report.CheckedBlobs == 1 ? "blob" : "blobs")}, {HumanText.Bytes((ulong)report.CheckedBytes)} in {time.TotalSeconds:0.0} s";
        if (report.Findings.Count == 0)
            return $"{seen}: all is well";
        List<string> lines = [.. report.Findings.Select(finding =>
            $"{finding.Hash?.ToString() ?? "-"}  {string.Concat(NamesOf(finding, tags).Select(static name => $"'{name}' "))}{finding.Detail}")];
        long bad = report.Findings.Sum(static finding => finding.BadBytes);
        lines.Add($"{seen}: {report.Findings.Count} {(report.Findings.Count == 1 ? "thing is" : "things are")} wrong");
        lines.Add(!report.IsSound ? "Run it with --repair to put that right."
            : bad > 0 ? $"All of it is repaired. {HumanText.Bytes((ulong)bad)} of content are lost; the next download fetches them and nothing else."
            : "All of it is repaired, and no content is lost.");
        return string.Join('\n', lines);
    }

    private static IEnumerable<string> NamesOf(CheckFinding finding, IReadOnlyList<BlobTag> tags) =>
        tags.Where(tag => tag.Content.Hash == finding.Hash).Select(static tag => tag.Name);

    private sealed class ShownProgress(ProgressLine line) : IProgress<CheckProgress>
    {
        public void Report(CheckProgress value) => line.Show("checking", (ulong)Math.Min(value.CheckedBytes, value.TotalBytes), (ulong)value.TotalBytes, 0);
    }
}
