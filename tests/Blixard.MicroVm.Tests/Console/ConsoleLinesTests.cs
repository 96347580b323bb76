using System.Text;
using Blixard.MicroVm.Console;
using Iroh.Cryptography;

namespace Blixard.MicroVm.Tests.Console;

public sealed class ConsoleLinesTests
{
    [Theory]
    [InlineData("one\r\ntwo\n", "one|two|")]
    [InlineData("no end", "no end")]
    [InlineData("\n\n", "||")]
    [InlineData("\u001b[1;31mred\u001b[0m\n", "red|")]
    [InlineData("/ # \u001b[6nls\n", "/ # ls|")]
    [InlineData("\u001b]0;title\u0007text\n", "text|")]
    [InlineData("\u001b]0;title\u001b\\text\n", "text|")]
    [InlineData("\u001b(Btext\u001bc\n", "text|")]
    [InlineData("\u001b[12;\nnext\n", "|next|")]
    [InlineData("tab\tbell\u0007nul\0\n", "tab\tbell\\x07nul\\x00|")]
    [InlineData("grüße 🐟\n", "grüße 🐟|")]
    public void Lines_are_for_people(string bytes, string expected)
    {
        var decoder = new ConsoleLines();
        List<string> lines = [];
        foreach (byte b in Encoding.UTF8.GetBytes(bytes))
            decoder.Add([b], lines);
        Assert.Equal(expected, string.Join('|', [.. lines, decoder.TakeUnfinished()]));
        Assert.Null(decoder.TakeUnfinished());
    }

    [Fact]
    public void Bytes_that_are_no_text_become_replacements_and_long_lines_are_cut()
    {
        var decoder = new ConsoleLines();
        List<string> lines = [];
        decoder.Add([0xff, (byte)'a', (byte)'\n'], lines);
        decoder.Add(Encoding.ASCII.GetBytes(new string('x', ConsoleLines.LineLengthMax + 5)), lines);
        Assert.Equal(["\ufffda", new string('x', ConsoleLines.LineLengthMax)], lines);
        Assert.Equal("xxxxx", decoder.TakeUnfinished());
    }

    [Fact]
    public void Pieces_of_any_size_give_the_same_lines()
    {
        for (ulong seed = 1; seed <= 200; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = new byte[random.NextBelow(500)];
            random.Fill(bytes);
            ReadOnlySpan<byte> common = "\n\u001b[]m\u0007aä"u8;
            for (int i = 0; i < bytes.Length; i += 2)
                bytes[i] = common[(int)random.NextBelow((ulong)common.Length)];
            Assert.True(Lines(bytes, () => bytes.Length) == Lines(bytes, () => 1 + (int)random.NextBelow(20)), $"seed {seed}: the lines differ");
        }

        static string Lines(byte[] bytes, Func<int> next)
        {
            var decoder = new ConsoleLines();
            List<string> lines = [];
            for (int at = 0; at < bytes.Length;)
            {
                int count = Math.Min(next(), bytes.Length - at);
                decoder.Add(bytes.AsSpan(at, count), lines);
                at += count;
            }

            return string.Join('\n', [.. lines, decoder.TakeUnfinished()]);
        }
    }
}
