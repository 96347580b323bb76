using System.Text;
using Blixard.Images.Manifests;
using Iroh.Blobs;
using Iroh.Cryptography;

namespace Blixard.Images.Tests.Manifests;

public sealed class ImageManifestTests
{
    private static readonly BlobHash SomeHash = BlobHash.Of("content"u8);

    private static ManifestContent Content => new()
    {
        Name = "demo/busybox",
        Tag = "v1.2",
        Architecture = "x86_64",
        KernelArguments = "console=ttyS0 quiet=\"1\"",
        Created = new DateTimeOffset(2026, 1, 31, 12, 0, 5, TimeSpan.Zero),
        Labels = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["os"] = "linux", ["B"] = "" },
        Parts =
        [
            new ManifestPart(ManifestPartKind.Kernel, "vmlinuz", 10, SomeHash),
            new ManifestPart(ManifestPartKind.Initramfs, "initramfs.cpio", 20, SomeHash),
            new ManifestPart(ManifestPartKind.Disk, "root.raw", 1L << 38, SomeHash),
            new ManifestPart(ManifestPartKind.Disk, "data.raw", 1, SomeHash),
        ],
    };

    [Fact]
    public void Its_canonical_bytes_are_compact_json_in_a_fixed_order()
    {
        string text = Encoding.UTF8.GetString(ImageManifest.Create(Content with { Parts = [Content.Parts[0]] }).ToBytes());

        Assert.Equal(
            $$"""
            {"schema":1,"name":"demo/busybox","tag":"v1.2","architecture":"x86_64","kernelArgs":"console=ttyS0 quiet=\"1\"",
            "created":"2026-01-31T12:00:05Z","labels":{"B":"","os":"linux"},
            "parts":[{"kind":"kernel","name":"vmlinuz","size":10,"blake3":"{{SomeHash}}"}]}
            """.ReplaceLineEndings(""),
            text);
    }

    [Fact]
    public void A_manifest_from_before_there_were_kinds_is_a_machines_and_keeps_its_hash()
    {
        byte[] old = Encoding.UTF8.GetBytes(
            $$"""
            {"schema":1,"name":"old","tag":"latest","architecture":"x86_64","kernelArgs":"","created":"2025-01-31T12:00:05Z","labels":{"container.digest":"sha256:00"},
            "parts":[{"kind":"kernel","name":"vmlinuz","size":10,"blake3":"{{SomeHash}}"}]}
            """.ReplaceLineEndings(""));

        Assert.True(ImageManifest.TryRead(old, out ImageManifest? read, out string? error), error);
        Assert.Equal((ManifestKind.Machine, BlobHash.Of(old)), (read.Kind, read.Hash));
    }

    [Fact]
    public void A_containers_manifest_says_so_in_the_form_that_came_with_kinds()
    {
        ImageManifest written = ImageManifest.Create(Content with { Kind = ManifestKind.Container });

        Assert.StartsWith(
            """{"schema":2,"name":"demo/busybox","tag":"v1.2","kind":"container","architecture":"x86_64",""", Encoding.UTF8.GetString(written.ToBytes()));
        Assert.True(ImageManifest.TryRead(written.ToBytes(), out ImageManifest? read, out string? error), error);
        Assert.Equal((ManifestKind.Container, written.Hash), (read.Kind, read.Hash));
        Assert.NotEqual(ImageManifest.Create(Content).Hash, written.Hash);
    }

    [Fact]
    public void What_is_written_is_read_back_with_the_same_identity()
    {
        ImageManifest written = ImageManifest.Create(Content);

        Assert.True(ImageManifest.TryRead(written.ToBytes(), out ImageManifest? read, out string? error), error);
        Assert.Equal(written.Hash, read.Hash);
        Assert.Equal(BlobHash.Of(written.ToBytes()), read.Hash);
        Assert.Equal(Content.Name, read.Name);
        Assert.Equal(Content.Tag, read.Tag);
        Assert.Equal(Content.Created, read.Created);
        Assert.Equal(Content.KernelArguments, read.KernelArguments);
        Assert.Equal(Content.Labels, read.Labels);
        Assert.Equal(Content.Parts, read.Parts);
        Assert.Equal(31 + (1L << 38), read.TotalSize);
    }

    [Theory]
    [InlineData("\"schema\":1", "\"schema\":3", "schema 3")]
    [InlineData("\"schema\":1", "\"schema\":2", "canonical")]
    [InlineData("\"tag\":\"v1.2\"", "\"tag\":\"v1.2\",\"kind\":\"container\"", "canonical")]
    [InlineData("\"tag\":\"v1.2\"", "\"tag\":\"v1.2\",\"kind\":\"machine\"", "canonical")]
    [InlineData("\"tag\":\"v1.2\"", "\"tag\":\"v1.2\",\"kind\":\"firmware\"", "neither a machine's")]
    [InlineData("\"tag\":\"v1.2\"", "\"tag\":\"v1.2\",\"kind\":null", "canonical")]
    [InlineData("\"schema\":1", "\"schema\":1,\"extra\":1", "extra")]
    [InlineData("\"schema\":1", "\"schema\":1,\"schema\":1", "uplicate")]
    [InlineData("\"schema\":1,", "", "schema")]
    [InlineData("\"tag\":\"v1.2\"", "\"tag\":null", "tag")]
    [InlineData("\"tag\":\"v1.2\"", "\"tag\":\"\"", "tag is empty")]
    [InlineData("\"tag\":\"v1.2\"", "\"tag\": \"v1.2\"", "canonical")]
    [InlineData("v1.2", "v1\\u002e2", "canonical")]
    [InlineData("v1.2", "v1/2", "tag holds '/'")]
    [InlineData("demo/busybox", "Demo", "name holds 'D'")]
    [InlineData("x86_64", "sparc", "architecture")]
    [InlineData("console", "con\\nsole", "U+000A")]
    [InlineData("console", "\\ud800", "manifest")]
    [InlineData("2026-01-31", "2026-02-31", "time of creation")]
    [InlineData("\"os\":\"linux\"", "\"os\":null", "null")]
    [InlineData("\"os\":\"linux\"", "\"os\":\"li\\u00e4nux\"", "U+00E4")]
    [InlineData("\"os\"", "\"\"", "canonical|no key")]
    [InlineData("\"kind\":\"kernel\"", "\"kind\":\"disk\"", "first part is not a kernel")]
    [InlineData("\"kind\":\"initramfs\"", "\"kind\":\"kernel\"", "one kernel")]
    [InlineData("\"kind\":\"disk\",\"name\":\"data.raw\"", "\"kind\":\"initramfs\",\"name\":\"data.raw\"", "then disks")]
    [InlineData("\"kind\":\"disk\"", "\"kind\":\"tape\"", "neither kernel nor")]
    [InlineData("vmlinuz", "../vmlinuz", "begins with '.'")]
    [InlineData("vmlinuz", "a/vmlinuz", "holds '/'")]
    [InlineData("data.raw", "root.raw", "two parts")]
    [InlineData("\"size\":10", "\"size\":0", "has 0 bytes")]
    [InlineData("\"size\":10", "\"size\":-1", "has -1 bytes")]
    [InlineData("\"size\":10", "\"size\":99999999999999999999", "cannot be read")]
    [InlineData("\"size\":10", "\"size\":274877906945", "274877906944 are possible")]
    [InlineData("\"blake3\":\"", "\"blake3\":\"0", "64 lower-case")]
    public void Broken_rules_are_refused_in_words(string part, string replacement, string expected)
    {
        string text = Encoding.UTF8.GetString(ImageManifest.Create(Content).ToBytes());
        int at = text.IndexOf(part, StringComparison.Ordinal);
        string broken = text[..at] + replacement + text[(at + part.Length)..];

        Assert.False(ImageManifest.TryRead(Encoding.UTF8.GetBytes(broken), out _, out string? error));
        Assert.Contains(expected.Split('|'), word => error.Contains(word, StringComparison.Ordinal));
    }

    [Fact]
    public void More_parts_labels_or_bytes_than_possible_are_refused()
    {
        ManifestPart[] parts =
        [
            Content.Parts[0],
            .. Enumerable.Range(0, ImageManifest.PartsMax).Select(i => new ManifestPart(ManifestPartKind.Disk, $"d{i}", 1, SomeHash)),
        ];
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i <= ImageManifest.LabelsMax; i++)
            labels.Add($"l{i}", "");

        Assert.Throws<InvalidManifestException>(() => ImageManifest.Create(Content with { Parts = parts }));
        Assert.Throws<InvalidManifestException>(() => ImageManifest.Create(Content with { Labels = labels }));
        Assert.Throws<InvalidManifestException>(() => ImageManifest.Create(Content with { Parts = [] }));
        Assert.False(ImageManifest.TryRead(new byte[ImageManifest.LengthMax + 1], out _, out string? error));
        Assert.Contains("65537 bytes", error);
        Assert.True(ImageManifest.TryRead(ImageManifest.Create(Content with { Parts = parts[..^1] }).ToBytes(), out _, out _));
    }

    [Fact]
    public void Any_bytes_and_any_mutation_of_a_manifest_are_read_without_an_exception()
    {
        byte[] machine = ImageManifest.Create(Content).ToBytes(), container = ImageManifest.Create(Content with { Kind = ManifestKind.Container }).ToBytes();
        for (ulong seed = 0; seed < 3000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = [.. seed % 2 == 0 ? machine : container];
            switch (random.NextBelow(3))
            {
                case 0:
                    bytes = new byte[random.NextBelow(200)];
                    random.Fill(bytes);
                    break;
                case 1:
                    bytes = bytes[..(int)random.NextBelow((ulong)bytes.Length)];
                    break;
                default:
                    for (ulong i = random.NextBelow(4); i < 5; i++)
                        bytes[random.NextBelow((ulong)bytes.Length)] = (byte)random.NextBelow(256);
                    break;
            }

            try
            {
                bool isRead = ImageManifest.TryRead(bytes, out ImageManifest? manifest, out string? error);
                Assert.Equal(isRead, error is null);
                if (isRead)
                    Assert.Equal(bytes, manifest!.ToBytes());
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
    }
}
