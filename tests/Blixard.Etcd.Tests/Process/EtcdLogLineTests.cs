using System.Text;
using Blixard.Etcd.Process;
using Iroh.Cryptography;
using Microsoft.Extensions.Logging;

namespace Blixard.Etcd.Tests.Process;

/// <summary>The lines are those of etcd 3.4.23.</summary>
public sealed class EtcdLogLineTests
{
    [Theory]
    [InlineData(
        """{"level":"info","ts":"2026-11-23T08:49:59.349Z","caller":"membership/cluster.go:558","msg":"set initial cluster version","cluster-id":"965e3c60311194be","local-member-id":"2e1b156e05ac3309","cluster-version":"3.4"}""",
        LogLevel.Information,
        "set initial cluster version (cluster-version=3.4)")]
    [InlineData(
        """{"level":"info","ts":"2026-11-23T08:49:59.323Z","caller":"embed/serve.go:145","msg":"serving client traffic insecurely; this is strongly discouraged!","address":"client:0"}""",
        LogLevel.Debug,
        "serving client traffic insecurely; this is strongly discouraged! (address=client:0)")]
    [InlineData(
        """{"level":"warn","ts":"2026-11-23T08:49:59.168Z","caller":"auth/store.go:1380","msg":"simple token is not cryptographically signed"}""",
        LogLevel.Debug,
        "simple token is not cryptographically signed")]
    [InlineData(
        """{"level":"warn","ts":"2026-11-23T10:06:19.065Z","caller":"rafthttp/stream.go:266","msg":"established TCP streaming connection with remote peer","stream-writer-type":"stream Message","local-member-id":"1bacd4356184abbf","remote-peer-id":"5d24981adb32e70a"}""",
        LogLevel.Debug,
        "established TCP streaming connection with remote peer (stream-writer-type=stream Message, remote-peer-id=5d24981adb32e70a)")]
    [InlineData(
        """{"level":"info","ts":"2026-11-23T08:49:59.321Z","caller":"raft/node.go:327","msg":"raft.node: 2e1b156e05ac3309 elected leader 2e1b156e05ac3309 at term 2"}""",
        LogLevel.Information,
        "raft.node: 2e1b156e05ac3309 elected leader 2e1b156e05ac3309 at term 2")]
    [InlineData(
        """{"level":"info","ts":"2026-11-23T08:49:59.321Z","caller":"raft/raft.go:719","msg":"2e1b156e05ac3309 became candidate at term 2"}""",
        LogLevel.Debug,
        "2e1b156e05ac3309 became candidate at term 2")]
    [InlineData(
        """{"level":"warn","ts":"2026-11-23T08:52:02.708Z","caller":"wal/wal.go:151","msg":"failed to preallocate an initial WAL file","path":"data/member/wal.tmp/0-0.wal","segment-bytes":64000000,"error":"no space left on device"}""",
        LogLevel.Warning,
        "failed to preallocate an initial WAL file: no space left on device (path=data/member/wal.tmp/0-0.wal, segment-bytes=64000000)")]
    [InlineData(
        """{"level":"fatal","ts":"2026-11-23T08:51:35.434Z","caller":"etcdmain/etcd.go:271","msg":"discovery failed","error":"walpb: crc mismatch","stacktrace":"go.etcd.io/etcd/etcdmain.startEtcdOrProxyV2\n\tgo.etcd.io/etcd/etcdmain/etcd.go:271"}""",
        LogLevel.Critical,
        "discovery failed: walpb: crc mismatch")]
    [InlineData("panic: cannot use none as id", LogLevel.Critical, "panic: cannot use none as id")]
    [InlineData("fatal error: out of memory", LogLevel.Critical, "fatal error: out of memory")]
    [InlineData("goroutine 1 [running]:", LogLevel.Debug, "goroutine 1 [running]:")]
    [InlineData("setsid: failed to execute /usr/bin/etcd: No such file or directory", LogLevel.Error, "setsid: failed to execute /usr/bin/etcd: No such file or directory")]
    [InlineData("{\"level\":\"warn\",\"msg\":\"a\\nb\\u001b[31m\",\"x\":[1,2]}", LogLevel.Warning, "a b [31m (x=[1,2])")]
    [InlineData("{\"level\":7,\"msg\":[],\"error\":{}}", LogLevel.Information, "")]
    [InlineData("{\"level\":\"warn\",\"msg\":\"\\ud800\"}", LogLevel.Debug, "{\"level\":\"warn\",\"msg\":\"\\ud800\"}")]
    [InlineData("[1]", LogLevel.Debug, "[1]")]
    [InlineData("{\"level\":\"warn\",", LogLevel.Debug, "{\"level\":\"warn\",")]
    public void A_line_becomes_one_readable_line_with_its_level(string line, LogLevel level, string text)
    {
        EtcdLogLine read = EtcdLogLine.Read(Encoding.UTF8.GetBytes(line));

        Assert.Equal((level, text), (read.Level, read.Text));
    }

    [Fact]
    public void A_long_line_is_cut()
    {
        EtcdLogLine read = EtcdLogLine.Read(Encoding.UTF8.GetBytes("{\"level\":\"info\",\"msg\":\"" + new string('m', 5000) + "\"}"));

        Assert.Equal(EtcdLogLine.TextMax, read.Text.Length);
        Assert.EndsWith("…", read.Text);
    }

    [Fact]
    public void Whatever_is_written_is_read_as_one_line_without_control_characters()
    {
        byte[] good = """{"level":"warn","ts":"2026-11-23T08:52:02.708Z","caller":"wal/wal.go:151","msg":"failed","path":"data","n":1,"error":"no"}"""u8.ToArray();
        for (ulong seed = 1; seed <= 2000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] line = [.. good];
            byte[] changes = new byte[8];
            random.Fill(changes);
            for (int i = 0; i < changes.Length; i += 2)
                line[changes[i] % line.Length] = changes[i + 1];

            EtcdLogLine read = EtcdLogLine.Read(line.AsSpan(0, changes[0] % 4 == 0 ? changes[1] % line.Length : line.Length));

            Assert.True(read.Text.Length <= EtcdLogLine.TextMax && !read.Text.Any(static c => c < 32), $"seed {seed}: {read.Text}");
        }
    }

    [Fact]
    public async Task Output_is_cut_into_lines_however_it_arrives_and_what_is_too_long_loses_its_rest()
    {
        string tooLong = new('x', EtcdOutput.LineBytesMax + 700);
        byte[] written = Encoding.UTF8.GetBytes($"one\n\ntwo\n{tooLong}\nthree\nfour");
        foreach (int piece in new[] { 1, 7, 4096, written.Length })
        {
            var lines = new List<string>();
            await foreach (EtcdLogLine line in EtcdOutput.ReadAsync(new PieceStream(written, piece), TestContext.Current.CancellationToken))
                lines.Add(line.Message);

            Assert.Equal(["one", "two", new string('x', EtcdLogLine.TextMax - 1) + "…", "three", "four"], lines);
        }
    }

    /// <summary>Gives at most so many bytes at a time.</summary>
    private sealed class PieceStream(byte[] bytes, int piece) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(piece, buffer.Length)], cancellationToken);
    }
}
