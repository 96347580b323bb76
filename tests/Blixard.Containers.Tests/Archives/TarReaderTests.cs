using System.Formats.Tar;
using System.Text;
using Blixard.Containers.Archives;
using Iroh.Cryptography;
using OurEntry = Blixard.Containers.Archives.TarEntry;
using TarReader = Blixard.Containers.Archives.TarReader;

namespace Blixard.Containers.Tests.Archives;

public sealed class TarReaderTests
{
    private static readonly string s_longName = string.Join('/', Enumerable.Repeat("a-name-that-goes-on-and-on", 20));

    [Theory]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.Pax)]
    [InlineData(TarEntryFormat.Gnu)]
    public void What_the_class_library_writes_is_read(TarEntryFormat format)
    {
        var stream = new MemoryStream();
        using (var writer = new TarWriter(stream, format, leaveOpen: true))
        {
            System.Formats.Tar.TarEntry file = Create(TarEntryType.RegularFile, "dir/file");
            (file.Mode, file.Uid, file.Gid) = ((UnixFileMode)0x9ED, 1000, 70_000);
            file.ModificationTime = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);
            file.DataStream = new MemoryStream(new byte[1000]);
            writer.WriteEntry(file);
            System.Formats.Tar.TarEntry link = Create(TarEntryType.SymbolicLink, "link");
            link.LinkName = "dir/file";
            writer.WriteEntry(link);
            if (format != TarEntryFormat.Ustar)
                writer.WriteEntry(Create(TarEntryType.Directory, s_longName));
        }

        stream.Position = 0;
        var reader = new TarReader(stream);
        OurEntry first = reader.ReadNext()!;
        Assert.Equal(
            ("dir/file", TarEntryKind.File, 1000, 0x9ED, 1000u, 70_000u, 1_700_000_000),
            (first.Path, first.Kind, first.Size, first.Mode, first.UserId, first.GroupId, first.ModifiedSeconds));
        OurEntry second = reader.ReadNext()!;
        Assert.Equal(("link", TarEntryKind.SymbolicLink, "dir/file"), (second.Path, second.Kind, second.LinkTarget));
        if (format != TarEntryFormat.Ustar)
            Assert.Equal(s_longName, reader.ReadNext()!.Path.TrimEnd('/'));
        Assert.Null(reader.ReadNext());
        Assert.Null(reader.ReadNext());

        System.Formats.Tar.TarEntry Create(TarEntryType type, string name) => format switch
        {
            TarEntryFormat.Ustar => new UstarTarEntry(type, name),
            TarEntryFormat.Gnu => new GnuTarEntry(type, name),
            _ => new PaxTarEntry(type, name),
        };
    }

    [Fact]
    public void Pax_records_win_and_keep_bytes_that_are_no_UTF_8()
    {
        byte[] capabilities = [1, 0, 0, 2, 0, 32, 0, 0, 0xFF, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        byte[] archive =
        [
            .. Header("x", 'x', Records(("path", [(byte)'n', 0xFF]), ("uid", "5000000"u8.ToArray()), ("mtime", "-1.25"u8.ToArray()), ("SCHILY.xattr.security.capability", capabilities))),
            .. Header("short", '0', []),
        ];
        OurEntry entry = new TarReader(new MemoryStream(archive)).ReadNext()!;
        Assert.Equal(("n\u00FF", 5_000_000u, -2L, 750_000_000), (entry.Path, entry.UserId, entry.ModifiedSeconds, entry.ModifiedNanoseconds));
        Assert.Equal(capabilities, entry.Capabilities.ToArray());
    }

    [Fact]
    public void Numbers_beyond_octal_are_read()
    {
        byte[] archive = Header("big", '0', [], spoil: header =>
        {
            header.AsSpan(108, 8).Clear();
            (header[108], header[112], header[115]) = (0x80, 0x40, 7);
        });
        Assert.Equal(0x40000007u, new TarReader(new MemoryStream(archive)).ReadNext()!.UserId);
    }

    [Theory]
    [InlineData("a header's checksum is wrong")]
    [InlineData("cut off inside a header")]
    [InlineData("cut off inside a file")]
    [InlineData("a negative size")]
    [InlineData("size is no number")]
    [InlineData("sparse file")]
    [InlineData("unknown type")]
    [InlineData("header extension of")]
    [InlineData("claims")]
    [InlineData("a record's length")]
    [InlineData("no user or group id")]
    [InlineData("more than 64 bits")]
    public void What_is_wrong_is_named(string message)
    {
        byte[] archive = message switch
        {
            "a header's checksum is wrong" => [.. Header("a", '0', []).Select((value, i) => i == 3 ? (byte)1 : value)],
            "cut off inside a header" => Header("a", '0', [])[..500],
            "cut off inside a file" => Header("a", '0', new byte[600])[..900],
            "a negative size" => Header("a", '0', [], spoil: header => header.AsSpan(124, 12).Fill(0xFF)),
            "size is no number" => Header("a", '0', [], spoil: header => header[124] = (byte)'x'),
            "sparse file" => Header("a", 'S', []),
            "unknown type" => Header("a", 'Q', []),
            "header extension of" => Header("a", 'L', [], spoil: header => "77777777777"u8.CopyTo(header.AsSpan(124))),
            "claims" => Header("a", '0', [], spoil: header => "77777777777"u8.CopyTo(header.AsSpan(124))),
            "a record's length" => Header("a", 'x', "9 path=x\n9"u8.ToArray()),
            "no user or group id" => [.. Header("a", 'x', Records(("uid", "4294967295"u8.ToArray()))), .. Header("a", '0', [])],
            _ => Header("a", '0', [], spoil: header => header.AsSpan(124, 12).Fill(0xBF)),
        };
        if (message == "claims")
            archive = [.. Header("x", 'x', Records(("size", "99999999999999"u8.ToArray()))), .. Header("a", '0', [])];
        ContainerImageException e = Assert.Throws<ContainerImageException>(() => ReadAll(archive));
        Assert.Contains(message, e.Message);
    }

    [Fact]
    public void Spoilt_archives_end_in_entries_or_a_named_error()
    {
        byte[] good = TestImage.Tar(writer =>
        {
            writer.AddDirectory("dir");
            writer.AddFile("dir/file", new byte[700]);
            writer.AddSymbolicLink("dir/link", s_longName);
            writer.AddFile(s_longName, "long");
        });
        for (ulong seed = 0; seed < 3000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = [.. good];
            for (ulong change = random.NextBelow(6) + 1; change > 0; change--)
                bytes[(int)random.NextBelow((ulong)bytes.Length)] = (byte)random.NextBelow(256);
            // Checksums would find most of it; the reader has to stand what has a good one.
            if (random.NextBelow(4) > 0)
                FixChecksums(bytes);
            if (random.NextBelow(4) == 0)
                bytes = bytes[..(int)random.NextBelow((ulong)bytes.Length)];
            try
            {
                ReadAll(bytes);
            }
            catch (ContainerImageException)
            {
                // Named.
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
    }

    /// <summary>A header, its content and padding.</summary>
    internal static byte[] Header(string name, char type, byte[] content, Action<byte[]>? spoil = null)
    {
        byte[] header = new byte[512];
        Encoding.Latin1.GetBytes(name).CopyTo(header, 0);
        "0000644\0"u8.CopyTo(header.AsSpan(100));
        "0000000\0"u8.CopyTo(header.AsSpan(108));
        "0000000\0"u8.CopyTo(header.AsSpan(116));
        Encoding.ASCII.GetBytes(Convert.ToString(content.Length, 8).PadLeft(11, '0')).CopyTo(header, 124);
        "00000000000\0"u8.CopyTo(header.AsSpan(136));
        header[156] = (byte)type;
        "ustar\000"u8.CopyTo(header.AsSpan(257));
        spoil?.Invoke(header);
        FixChecksums(header);
        return [.. header, .. content, .. new byte[(512 - (content.Length % 512)) % 512]];
    }

    private static byte[] Records(params (string Key, byte[] Value)[] records)
    {
        var bytes = new List<byte>();
        foreach ((string key, byte[] value) in records)
        {
            int length = key.Length + value.Length + 3;
            while (length < key.Length + value.Length + 3 + length.ToString().Length)
                length++;
            bytes.AddRange([.. Encoding.ASCII.GetBytes($"{length} {key}="), .. value, (byte)'\n']);
        }

        return [.. bytes];
    }

    private static void FixChecksums(byte[] archive)
    {
        for (int start = 0; start + 512 <= archive.Length; start += 512)
        {
            Span<byte> header = archive.AsSpan(start, 512);
            if (!header.Slice(257, 5).SequenceEqual("ustar"u8))
                continue;
            header.Slice(148, 8).Fill((byte)' ');
            int sum = 0;
            foreach (byte value in header)
                sum += value;
            Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header[148..]);
        }
    }

    private static void ReadAll(byte[] archive)
    {
        var reader = new TarReader(new MemoryStream(archive));
        byte[] buffer = new byte[300];
        for (int count = 0; reader.ReadNext() is not null; count++)
        {
            if (count % 2 == 0)
                while (reader.ReadContent(buffer) > 0)
                    Assert.True(count < 10_000);
        }
    }
}
