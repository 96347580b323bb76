using Blixard.Etcd.Metrics;

namespace Blixard.Etcd.Tests.Metrics;

public sealed class EtcdPageTests
{
    [Fact]
    public void What_an_operator_needs_is_kept_word_for_word_and_the_rest_left_out()
    {
        const string Kept =
            "# HELP etcd_disk_wal_fsync_duration_seconds The latency distributions of fsync called by WAL.\n" +
            "# TYPE etcd_disk_wal_fsync_duration_seconds histogram\n" +
            "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"} 4\n" +
            "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"} 6\n" +
            "etcd_disk_wal_fsync_duration_seconds_sum 0.002320516\n" +
            "etcd_disk_wal_fsync_duration_seconds_count 6\n" +
            "# TYPE etcd_server_leader_changes_seen_total counter\n" +
            "etcd_server_leader_changes_seen_total 1\n";
        EtcdPage page = EtcdPage.Parse("# TYPE go_goroutines gauge\ngo_goroutines 90\n" + Kept + "etcd_debugging_mvcc_keys_total 3\n");

        Assert.Equal(Kept, page.Text);
        Assert.Equal(0.002320516, page["etcd_disk_wal_fsync_duration_seconds_sum"]);
        Assert.Equal(4, page["etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"}"]);
        Assert.Null(page["go_goroutines"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("etcd_server_")]
    [InlineData("etcd_server_x")]
    [InlineData("etcd_server_x not-a-number\n")]
    [InlineData("# HELP \n#\n\n{} 1\n")]
    public void A_page_that_is_none_yields_no_values(string text)
    {
        EtcdPage page = EtcdPage.Parse(text);
        Assert.Equal("", page.Text);
        Assert.Null(page["etcd_server_x"]);
    }
}
