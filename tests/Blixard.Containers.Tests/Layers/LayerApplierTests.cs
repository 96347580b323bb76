using System.Formats.Tar;
using Blixard.Containers.Layers;
using Blixard.Containers.Tree;
using Iroh.Cryptography;
using TarReader = Blixard.Containers.Archives.TarReader;

namespace Blixard.Containers.Tests.Layers;

public sealed class LayerApplierTests
{
    [Fact]
    public void Later_layers_replace_hide_and_keep()
    {
        RootTree tree = Apply(
            writer =>
            {
                writer.AddFile("a/kept", "1");
                writer.AddFile("a/hidden", "2");
                writer.AddFile("a/changed", "3");
                writer.AddFile("b/x", "4");
                writer.AddFile("c", "5");
                writer.AddDirectory("d");
                writer.AddFile("d/e", "6");
            },
            writer =>
            {
                writer.AddFile("a/.wh.hidden", "");
                writer.AddFile("a/changed", "33");
                writer.AddFile(".wh.b", "");
                writer.AddDirectory("c");
                writer.AddFile("c/inside", "7");
                writer.AddFile("d", "now a file");
                writer.AddFile(".wh.never-there", "");
            });
        Assert.Equal(["a", "a/changed=2", "a/kept=1", "c", "c/inside=1", "d=10"], List(tree));
    }

    [Fact]
    public void A_mark_hides_lower_layers_only_wherever_it_is()
    {
        RootTree tree = Apply(
            writer =>
            {
                writer.AddFile("o/lower", "1");
                writer.AddFile("o/sub/lower", "1");
                writer.AddFile("w/lower", "1");
            },
            writer =>
            {
                writer.AddFile("o/before", "2");
                writer.AddFile("o/sub/before", "2");
                writer.AddFile("o/.wh..wh..opq", "");
                writer.AddFile("o/after", "3");
                writer.AddFile("w/new", "4");
                writer.AddFile(".wh.w", "");
                writer.AddFile(".wh..wh.plnk", "a note of aufs");
            });
        Assert.Equal(["o", "o/after=1", "o/before=1", "o/sub", "o/sub/before=1", "w", "w/new=1"], List(tree));
    }

    [Fact]
    public void Links_are_followed_inside_the_tree_and_hard_links_share_a_file()
    {
        RootTree tree = Apply(
            writer =>
            {
                writer.AddDirectory("usr/lib");
                writer.AddSymbolicLink("lib", "usr/lib");
                writer.AddSymbolicLink("out", "../../../..");
                writer.AddSymbolicLink("absolute", "/usr");
                writer.AddFile("usr/lib/file", "1");
            },
            writer =>
            {
                writer.AddFile("lib/through", "22");
                writer.AddFile("out/top", "333");
                writer.AddFile("absolute/here", "4444");
                writer.AddHardLink("other", "lib/file");
                writer.AddFile("lib/.wh.file", "");
            });
        Assert.Equal(["absolute@/usr", "lib@usr/lib", "other=1", "out@../../../..", "top=3", "usr", "usr/here=4", "usr/lib", "usr/lib/through=2"], List(tree));
    }

    [Fact]
    public void Directories_are_changed_in_place_and_parents_that_nobody_names_are_made()
    {
        RootTree tree = Apply(
            writer => writer.AddFile("p/q/file", "1", 0x9ED, 5, 6),
            writer => writer.AddDirectory("p/q", 0x1C0, 7, 8));
        Assert.True(tree.TryFind("p/q", out TreeNode? directory));
        Assert.Equal((0x1C0, 7u, 8u), (directory.Mode, directory.UserId, directory.GroupId));
        Assert.True(tree.TryFind("/p/./q//file", out TreeNode? file));
        Assert.Equal((0x9ED, 5u, 6u, 1_714_979_289L), (file.Mode, file.UserId, file.GroupId, file.ModifiedSeconds));
        Assert.True(tree.TryFind("p", out TreeNode? made));
        Assert.Equal((0x1ED, 0u), (made.Mode, made.UserId));
    }

    [Theory]
    [InlineData("'..' in it", ContainerImageFailure.Hostile)]
    [InlineData("is a device node", ContainerImageFailure.Hostile)]
    [InlineData("is a hard link to '../etc/shadow'", ContainerImageFailure.Hostile)]
    [InlineData("which is no file of the image", ContainerImageFailure.Malformed)]
    [InlineData("symbolic links on the way", ContainerImageFailure.Hostile)]
    [InlineData("below something that is no directory", ContainerImageFailure.Malformed)]
    [InlineData("names no file", ContainerImageFailure.Hostile)]
    [InlineData("a name in", ContainerImageFailure.TooLarge)]
    [InlineData("the path", ContainerImageFailure.TooLarge)]
    [InlineData("the root", ContainerImageFailure.Hostile)]
    public void What_is_refused_is_named(string message, ContainerImageFailure failure)
    {
        ContainerImageException e = Assert.Throws<ContainerImageException>(() => Apply(writer =>
        {
            switch (message)
            {
                case "'..' in it":
                    writer.AddFile("a/../../etc/passwd", "");
                    break;
                case "is a device node":
                    writer.AddOther(TarEntryType.BlockDevice, "dev/sda");
                    break;
                case "is a hard link to '../etc/shadow'":
                    writer.AddHardLink("a", "../etc/shadow");
                    break;
                case "which is no file of the image":
                    writer.AddHardLink("a", "nowhere");
                    break;
                case "symbolic links on the way":
                    writer.AddSymbolicLink("a", "b");
                    writer.AddSymbolicLink("b", "a");
                    writer.AddFile("a/file", "");
                    break;
                case "below something that is no directory":
                    writer.AddFile("a", "");
                    writer.AddFile("a/b", "");
                    break;
                case "names no file":
                    writer.AddFile("a/.wh...", "");
                    break;
                case "a name in":
                    writer.AddFile(new string('n', 256), "");
                    break;
                case "the path":
                    writer.AddFile(string.Join('/', Enumerable.Repeat("name", 900)), "");
                    break;
                default:
                    writer.AddFile("./", "");
                    writer.AddSymbolicLink("/", "a");
                    break;
            }
        }));
        Assert.Equal(failure, e.Failure);
        Assert.Contains(message == "is a hard link to '../etc/shadow'" ? "'..' in it" : message, e.Message);
    }

    [Fact]
    public void Random_layers_give_the_same_tree_as_files_in_a_map()
    {
        for (ulong seed = 0; seed < 400; seed++)
        {
            var random = new SeededRandomSource(seed);
            // Names of three levels; a map from path to size is the second opinion, without links.
            var expected = new Dictionary<string, long>();
            var layers = new List<Action<TarWriter>>();
            for (int layer = 0; layer < 4; layer++)
            {
                var lower = expected.Keys.ToHashSet();
                var steps = new List<Action<TarWriter>>();
                for (int step = 0; step < 6; step++)
                {
                    string directory = $"{(char)('a' + random.NextBelow(3))}/{(char)('a' + random.NextBelow(3))}";
                    string path = $"{directory}/f{random.NextBelow(3)}";
                    byte[] content = new byte[random.NextBelow(40) + 1];
                    switch (random.NextBelow(4))
                    {
                        case 0:
                            steps.Add(writer => writer.AddFile($"{directory}/.wh.{Path.GetFileName(path)}", ""));
                            if (lower.Remove(path))
                                expected.Remove(path);
                            break;
                        case 1:
                            steps.Add(writer => writer.AddFile($"{directory}/.wh..wh..opq", ""));
                            foreach (string hidden in lower.Where(name => name.StartsWith(directory + "/")).ToArray())
                            {
                                lower.Remove(hidden);
                                expected.Remove(hidden);
                            }

                            break;
                        default:
                            steps.Add(writer => writer.AddFile(path, content));
                            expected[path] = content.Length;
                            lower.Remove(path);
                            break;
                    }
                }

                layers.Add(writer => steps.ForEach(step => step(writer)));
            }

            string[] files = [.. List(Apply([.. layers])).Where(line => line.Contains('=')).Order(StringComparer.Ordinal)];
            string[] wanted = [.. expected.Select(pair => $"{pair.Key}={pair.Value}").Order(StringComparer.Ordinal)];
            Assert.True(files.SequenceEqual(wanted), $"seed {seed}: {string.Join(' ', files)} instead of {string.Join(' ', wanted)}");
        }
    }

    internal static RootTree Apply(params Action<TarWriter>[] layers)
    {
        var tree = new RootTree();
        var applier = new LayerApplier(tree);
        for (int layer = 0; layer < layers.Length; layer++)
        {
            var reader = new TarReader(new MemoryStream(TestImage.Tar(layers[layer])));
            for (int number = 0; reader.ReadNext() is { } entry; number++)
                applier.Apply(entry, new ContentPlace(layer, number));
        }

        return tree;
    }

    /// <summary>Paths in order: files with =size, symbolic links with @target.</summary>
    private static IEnumerable<string> List(RootTree tree)
    {
        return Below(tree.Root, "");

        static IEnumerable<string> Below(TreeNode directory, string path) => directory.Children.SelectMany(child => child.Value.Node.Kind switch
        {
            NodeKind.Directory => Below(child.Value.Node, $"{path}{child.Key}/").Prepend(path + child.Key),
            NodeKind.SymbolicLink => [$"{path}{child.Key}@{child.Value.Node.LinkTarget}"],
            _ => [$"{path}{child.Key}={child.Value.Node.Size}"],
        });
    }
}
