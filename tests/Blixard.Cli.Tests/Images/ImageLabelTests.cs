using System.Text.Json.Nodes;
using Blixard.Cli.Images;
using Blixard.Cli.Local;
using Blixard.Cli.Tests.Cluster;
using Blixard.Images.Manifests;

namespace Blixard.Cli.Tests.Images;

[Collection(nameof(CliCluster))]
public sealed class ImageLabelTests
{
    [Fact]
    public async Task Labels_and_kind_of_an_image_are_listed_and_chosen_by()
    {
        await using var cluster = new CliCluster();
        await cluster.StartAsync("one", "up");
        string kernel = Path.Combine(cluster.Folder, "kernel");
        await File.WriteAllTextAsync(kernel, "kernel");
        await cluster.JsonAsync("one", "image", "add", "plain", "--kernel", kernel);
        JsonNode added = await cluster.JsonAsync("one", "image", "add", "web", "--kernel", kernel, "--label", "os=linux", "--label", "stage=a=b");
        Assert.Equal(("machine", "linux", "a=b"), (Text(added["kind"]), Text(added["labels"]!["os"]), Text(added["labels"]!["stage"])));

        CliResult table = await cluster.RunAsync("one", ["image", "ls"]);
        string[] lines = table.Output.Split('\n');
        int kind = lines[0].IndexOf("KIND", StringComparison.Ordinal);
        Assert.True(kind > 0 && lines[1][kind..].StartsWith("machine ", StringComparison.Ordinal) && lines[2][kind..].StartsWith("machine ", StringComparison.Ordinal), table.Output);
        CliResult chosen = await cluster.RunAsync("one", ["image", "ls", "--label", "os", "--label", "stage=a=b"]);
        Assert.StartsWith("web:latest ", Assert.Single(chosen.Output.TrimEnd().Split('\n')[1..]), StringComparison.Ordinal);
        CliResult none = await cluster.RunAsync("one", ["image", "ls", "--label", "os=hurd"]);
        Assert.Equal((0, "no images with these labels"), (none.ExitCode, none.Output.Trim()));
        CliResult inspected = await cluster.RunAsync("one", ["image", "inspect", "web"]);
        Assert.Contains("LABEL  VALUE\nos     linux\nstage  a=b\n", inspected.Output);

        foreach ((int exitCode, string message, string[] arguments) in ((int, string, string[])[])
        [
            (2, "--label takes KEY=VALUE; 'os' is not one.", ["--label", "os"]),
            (2, "--label says 'os' twice.", ["--label", "os=a", "--label", "os=b"]),
            (2, "a label's key has 129 characters; 128 are possible", ["--label", new string('k', 129) + "=v"]),
            (2, "there are 33 labels; 32 are possible", [.. Enumerable.Range(0, 33).SelectMany(number => (string[])["--label", $"l{number}="])]),
        ])
        {
            CliResult refused = await cluster.RunAsync("one", ["image", "add", "bad", "--kernel", kernel, .. arguments]);
            Assert.Equal((exitCode, ""), (refused.ExitCode, refused.Output));
            Assert.Contains(message, refused.Errors);
        }
    }

    [Fact]
    public void A_condition_on_labels_names_a_key_or_a_key_and_its_value()
    {
        var labels = new Dictionary<string, string> { ["os"] = "linux", ["empty"] = "" };

        Assert.All((string[][])[[], ["os"], ["os=linux"], ["empty="], ["os", "empty"]], conditions => Assert.True(LabelText.Matches(labels, conditions)));
        Assert.All((string[][])[["o"], ["os="], ["os=linux "], ["os", "other"]], conditions => Assert.False(LabelText.Matches(labels, conditions)));
    }

    [Fact]
    public void A_container_images_labels_are_taken_over_as_far_as_they_keep_the_rules()
    {
        var container = new Dictionary<string, string>
        {
            ["title"] = "Web", ["os"] = "other", [ImportedLabels.DigestKey] = "sha256:lie", ["maker"] = "M\u00fcller", ["long"] = new('x', ImageManifest.LabelLengthMax + 1),
        };

        (IReadOnlyDictionary<string, string> labels, int leftOut) = ImportedLabels.Of("sha256:00", new Dictionary<string, string> { ["os"] = "linux" }, container);

        Assert.Equal(
            [KeyValuePair.Create(ImportedLabels.DigestKey, "sha256:00"), KeyValuePair.Create("os", "linux"), KeyValuePair.Create("title", "Web")],
            labels.OrderBy(label => label.Key, StringComparer.Ordinal));
        Assert.Equal(2, leftOut);
    }

    [Fact]
    public void Of_more_labels_than_possible_the_first_by_key_are_taken()
    {
        Dictionary<string, string> container = Enumerable.Range(0, 100).ToDictionary(number => $"l{number:00}", _ => "");

        (IReadOnlyDictionary<string, string> labels, int leftOut) = ImportedLabels.Of("sha256:00", new Dictionary<string, string> { ["z"] = "" }, container);

        Assert.Equal((ImageManifest.LabelsMax, 70), (labels.Count, leftOut));
        Assert.Equal(["l00", "l29", "z"], labels.Keys.Where(key => key is "l00" or "l29" or "l30" or "z").Order(StringComparer.Ordinal));
        Assert.Null(ImageManifest.CheckLabels(labels));
    }

    [Fact]
    public void Labels_that_leave_no_room_for_the_digest_or_claim_it_are_refused_before_the_import()
    {
        Assert.Null(ImportedLabels.Check(Enumerable.Range(0, ImageManifest.LabelsMax - 1).ToDictionary(number => $"l{number}", _ => "")));
        Assert.Contains("33 labels", ImportedLabels.Check(Enumerable.Range(0, ImageManifest.LabelsMax).ToDictionary(number => $"l{number}", _ => "")));
        Assert.Contains("container.digest", ImportedLabels.Check(new Dictionary<string, string> { [ImportedLabels.DigestKey] = "" }));
    }

    private static string Text(JsonNode? node) => node!.GetValue<string>();
}
