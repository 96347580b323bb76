using System.Text;
using Blixard.MicroVm.Console;
using Iroh.Cryptography;

namespace Blixard.MicroVm.Tests.Console;

public sealed class ConsoleLogTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Nothing_is_there_before_the_guest_writes()
    {
        var log = new ConsoleLog(_directory.Path);
        long position = 0;
        Assert.Equal(0, log.Read(ref position, new byte[10]));
        Assert.Equal((0, 0, false), (position, log.End, log.IsRotationDue));
        log.Rotate();
        Assert.Equal(0, log.FindTail(5));
    }

    [Fact]
    public void A_reader_does_not_notice_rotations()
    {
        for (ulong seed = 1; seed <= 100; seed++)
        {
            var random = new SeededRandomSource(seed);
            string directory = Directory.CreateDirectory(_directory.File($"{seed}")).FullName;
            var log = new ConsoleLog(directory, fileLengthMax: 100);
            var written = new MemoryStream();
            var read = new MemoryStream();
            long position = 0;
            byte[] buffer = new byte[64];
            for (int step = 0; step < 60; step++)
            {
                byte[] bytes = new byte[random.NextBelow(30)];
                random.Fill(bytes);
                Append(log, bytes);
                written.Write(bytes);
                if (log.IsRotationDue)
                {
                    log.Rotate();
                    Assert.False(log.IsRotationDue);
                }

                // The reader is never more than one file behind, so nothing it has not seen goes.
                if (step % 3 == 0)
                    Drain();
            }

            Drain();
            Assert.True(written.ToArray().AsSpan().SequenceEqual(read.ToArray()), $"seed {seed}: what was read differs from what was written");
            Assert.True(new FileInfo(log.PreviousPath).Length < 130, $"seed {seed}: the previous file is longer than the limit");

            void Drain()
            {
                while (log.Read(ref position, buffer.AsSpan(0, 1 + (int)random.NextBelow(63))) is var count and > 0)
                    read.Write(buffer, 0, count);
            }
        }
    }

    [Fact]
    public void A_reader_that_fell_behind_goes_on_at_the_oldest_byte()
    {
        var log = new ConsoleLog(_directory.Path);
        Append(log, "one"u8);
        log.Rotate();
        Append(log, "two"u8);
        log.Rotate();
        Append(log, "three"u8);
        long position = 1;
        byte[] buffer = new byte[10];
        int count = log.Read(ref position, buffer);
        Assert.Equal(("two", 6), (Encoding.ASCII.GetString(buffer, 0, count), position));
        count = log.Read(ref position, buffer);
        Assert.Equal(("three", 11), (Encoding.ASCII.GetString(buffer, 0, count), position));
        Assert.Equal(11, log.End);
    }

    [Fact]
    public void What_an_earlier_process_logged_is_still_there()
    {
        var before = new ConsoleLog(_directory.Path);
        Append(before, "old"u8);
        before.Rotate();
        Append(before, "new"u8);

        var log = new ConsoleLog(_directory.Path);
        long position = 0;
        byte[] buffer = new byte[10];
        Assert.Equal(3, log.Read(ref position, buffer));
        Assert.Equal(3, log.Read(ref position, buffer.AsSpan(3)));
        Assert.Equal("oldnew", Encoding.ASCII.GetString(buffer, 0, 6));
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(1, "end")]
    [InlineData(2, "four\nend")]
    [InlineData(3, "three three\nfour\nend")]
    [InlineData(99, "one\ntwo\nthree three\nfour\nend")]
    public void The_tail_is_found_over_the_rotation(int lines, string expected)
    {
        var log = new ConsoleLog(_directory.Path);
        Append(log, "one\ntwo\nthree"u8);
        log.Rotate();
        Append(log, " three\nfour\nend"u8);
        Assert.Equal(expected, ReadFrom(log, log.FindTail(lines)));
        Append(log, "\n"u8);
        Assert.Equal(lines == 0 ? "" : expected + "\n", ReadFrom(log, log.FindTail(lines)));
    }

    [Fact]
    public void The_tail_is_found_far_back()
    {
        var log = new ConsoleLog(_directory.Path);
        string text = string.Concat(Enumerable.Range(0, 1000).Select(static i => $"line {i}\n"));
        Append(log, Encoding.ASCII.GetBytes(text));
        Assert.Equal(text[text.IndexOf("line 900\n", StringComparison.Ordinal)..], ReadFrom(log, log.FindTail(100)));
    }

    private static void Append(ConsoleLog log, ReadOnlySpan<byte> bytes)
    {
        using var file = new FileStream(log.Path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        file.Write(bytes);
    }

    private static string ReadFrom(ConsoleLog log, long position)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[7];
        while (log.Read(ref position, buffer) is var count and > 0)
            text.Append(Encoding.ASCII.GetString(buffer, 0, count));
        return text.ToString();
    }
}
