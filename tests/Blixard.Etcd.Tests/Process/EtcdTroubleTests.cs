using System.Text;
using Blixard.Etcd.Process;

namespace Blixard.Etcd.Tests.Process;

public sealed class EtcdTroubleTests
{
    [Theory]
    [InlineData("""{"level":"fatal","msg":"failed to commit tx","error":"write data/member/snap/db: no space left on device"}""", "the disk that holds /d/etcd/data is full; make room")]
    [InlineData("""{"level":"panic","msg":"failed to open database","path":"data/member/snap/db","error":"invalid database"}""", "the data in /d/etcd/data are damaged")]
    [InlineData("panic: cannot use none as id", "the data in /d/etcd/data are damaged")]
    [InlineData("""{"level":"fatal","msg":"failed to list data directory","dir":"data","error":"open data: permission denied"}""", "etcd may not use its directory /d/etcd")]
    [InlineData("""{"level":"warn","msg":"another etcd process is using \"data/member/snap/db\" and holds the file lock, or loading backend file is taking >10 seconds"}""", "another etcd uses the data in /d/etcd/data")]
    [InlineData("""{"level":"fatal","msg":"discovery failed","error":"cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs"}""", "none of the cluster's other servers could be reached to join")]
    [InlineData("""{"level":"fatal","msg":"discovery failed","error":"error validating peerURLs: member count is unequal"}""", "the cluster's list of members changed while this server joined")]
    [InlineData("""{"level":"warn","msg":"server error","error":"the member has been permanently removed from the cluster"}""", "the cluster has removed this server")]
    [InlineData("""{"level":"fatal","msg":"something new"}""", "etcd ended with exit code 1 (something new)")]
    [InlineData("""{"level":"info","msg":"permission denied"}""", "etcd ended with exit code 1")]
    public void Complaints_become_a_reason_that_says_what_to_do(string line, string reason)
    {
        var trouble = new EtcdTrouble();
        trouble.Add(EtcdLogLine.Read(Encoding.UTF8.GetBytes(line)));

        Assert.StartsWith(reason, trouble.Describe(1, "/d/etcd"));
    }

    [Fact]
    public void Connections_to_others_that_broke_are_not_why_it_ended()
    {
        var trouble = new EtcdTrouble();
        trouble.Add(EtcdLogLine.Read(
            """{"level":"warn","caller":"rafthttp/stream.go:436","msg":"lost TCP streaming connection with remote peer","error":"unexpected EOF"}"""u8));

        Assert.Equal("etcd was ended by signal 9", trouble.Describe(137, "/d"));
    }

    [Fact]
    public void A_signal_is_named_and_only_the_last_complaints_are_kept()
    {
        var trouble = new EtcdTrouble();
        for (int i = 0; i < 10; i++)
            trouble.Add(EtcdLogLine.Read(Encoding.UTF8.GetBytes($"panic: number {i}")));

        Assert.Equal("etcd was ended by signal 9 (panic: number 7; panic: number 8; panic: number 9)", trouble.Describe(137, "/d"));
        Assert.False(trouble.Removed);
    }

    [Fact]
    public void Pauses_double_up_to_ten_seconds_and_begin_anew_after_a_good_run()
    {
        var pause = new RestartPause();

        TimeSpan[] pauses = [.. Enumerable.Range(0, 9).Select(_ => pause.After(TimeSpan.FromSeconds(1)))];

        Assert.Equal(new[] { 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10 }, pauses.Select(each => each.TotalSeconds));
        Assert.Equal(TimeSpan.FromMilliseconds(100), pause.After(RestartPause.GoodRun));
        Assert.Equal(TimeSpan.FromMilliseconds(200), pause.After(TimeSpan.Zero));
    }

    [Fact]
    public void Etcd_inherits_no_settings_of_its_own_and_no_proxies()
    {
        var environment = new Dictionary<string, string?>
        {
            ["ETCD_NAME"] = "x", ["ETCD_LISTEN_CLIENT_URLS"] = "http://0.0.0.0:2379", ["HTTP_PROXY"] = "p", ["https_proxy"] = "p", ["no_proxy"] = "p",
            ["ALL_PROXY"] = "p", ["NOTIFY_SOCKET"] = "/run/s", ["PATH"] = "/bin", ["HOME"] = "/root",
        };

        EtcdCommandLine.CleanEnvironment(environment);

        Assert.Equal(["HOME", "PATH"], environment.Keys.Order());
    }
}
