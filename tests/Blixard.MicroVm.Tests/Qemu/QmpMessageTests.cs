using System.Text;
using System.Text.Json.Nodes;
using Blixard.MicroVm.Qemu;
using Iroh.Cryptography;

namespace Blixard.MicroVm.Tests.Qemu;

public sealed class QmpMessageTests
{
    // Lines as QEMU 7.2 wrote them.
    private static readonly string[] RealLines =
    [
        """{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}""",
        """{"return": {"UUID": "00000000-0000-0000-0000-000000000000"}, "id": 7}""",
        """{"timestamp": {"seconds": 1795412212, "microseconds": 420960}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}""",
        """{"timestamp": {"seconds": 1795412212, "microseconds": 358344}, "event": "POWERDOWN"}""",
        """{"id": 3, "error": {"class": "CommandNotFound", "desc": "The command no-such has not been found"}}""",
    ];

    [Fact]
    public void Real_lines_are_read()
    {
        Assert.Equal(new QmpMessage.Greeting("7.2.22"), Parse(RealLines[0]));
        Assert.Equal(7, Assert.IsType<QmpMessage.Return>(Parse(RealLines[1])).Id);
        QmpMessage.Event shutdown = Assert.IsType<QmpMessage.Event>(Parse(RealLines[2]));
        Assert.Equal("SHUTDOWN", shutdown.Name);
        Assert.Equal("guest-shutdown", shutdown.Data.GetProperty("reason").GetString());
        Assert.Equal("POWERDOWN", Assert.IsType<QmpMessage.Event>(Parse(RealLines[3])).Name);
        Assert.Equal(new QmpMessage.Error(3, "CommandNotFound", "The command no-such has not been found"), Parse(RealLines[4]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("nonsense")]
    [InlineData("{\"return\":{}}")]
    [InlineData("{\"return\":{},\"id\":\"x\"}")]
    [InlineData("{\"return\":{},\"id\":1e99}")]
    [InlineData("{\"event\":5}")]
    [InlineData("{\"event\":\"\\ud800\"}")]
    [InlineData("{\"error\":5}")]
    [InlineData("{\"id\":5}")]
    public void What_is_no_message_is_named(string line)
    {
        Assert.Null(QmpMessage.TryParse(Encoding.UTF8.GetBytes(line), out string fault));
        Assert.NotEmpty(fault);
    }

    [Fact]
    public void A_command_is_one_line()
    {
        Assert.Equal("{\"execute\":\"quit\",\"id\":1}\n", Encoding.UTF8.GetString(QmpMessage.WriteCommand(1, "quit", null)));
        Assert.Equal(
            "{\"execute\":\"x\",\"arguments\":{\"a\":\"l\\n\"},\"id\":2}\n",
            Encoding.UTF8.GetString(QmpMessage.WriteCommand(2, "x", new JsonObject { ["a"] = "l\n" })));
    }

    [Fact]
    public void No_line_throws()
    {
        for (ulong seed = 1; seed <= 3000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] line = Encoding.UTF8.GetBytes(RealLines[random.NextBelow((ulong)RealLines.Length)]);
            for (ulong change = random.NextBelow(6); change > 0; change--)
            {
                int at = (int)random.NextBelow((ulong)line.Length);
                line = random.NextBelow(3) switch
                {
                    0 => [.. line[..at], .. line[(at + 1)..], (byte)' '],
                    1 => [.. line[..at], (byte)random.NextBelow(256), .. line[at..]],
                    _ => [.. line[..at], .. "{\"[\\u1:"u8[(int)random.NextBelow(7)..], .. line[at..]],
                };
            }

            try
            {
                QmpMessage? message = QmpMessage.TryParse(line, out string fault);
                Assert.Equal(message is null, fault.Length > 0);
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
    }

    private static QmpMessage? Parse(string line) => QmpMessage.TryParse(Encoding.UTF8.GetBytes(line), out _);
}
