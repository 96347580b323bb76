using Blixard.Etcd.Membership;
using Blixard.Etcd.Tests.Support;
using Iroh.Base;

namespace Blixard.Etcd.Tests.Membership;

public sealed class PeerUrlTests
{
    [Fact]
    public void A_peer_url_is_a_socket_named_after_the_endpoint_and_reads_back()
    {
        EndpointId id = TestEtcd.Id(0);

        string url = EtcdMembership.PeerUrl(id);

        Assert.Equal($"unix://{id}.raft.blixard:2380", url);
        Assert.Equal(82, EtcdMembership.PeerSocketName(id).Length);
        Assert.True(EtcdMembership.TryReadPeerUrl(url, out EndpointId read));
        Assert.Equal(id, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("unix://")]
    [InlineData("unix://.raft.blixard:2380")]
    [InlineData("http://2e3a13d4903c4e808b1945cf26c586c0e4d122102cbb94d255aaf2f4cf05e75d.raft.blixard:2380")]
    [InlineData("unix://2e3a13d4903c4e808b1945cf26c586c0e4d122102cbb94d255aaf2f4cf05e75d.raft.blixard:2381")]
    [InlineData("unix://2e3a13d4903c4e808b1945cf26c586c0e4d122102cbb94d255aaf2f4cf05e75.raft.blixard:2380")]
    [InlineData("unix://2E3a13d4903c4e808b1945cf26c586c0e4d122102cbb94d255aaf2f4cf05e75d.raft.blixard:2380")]
    [InlineData("unix://zz3a13d4903c4e808b1945cf26c586c0e4d122102cbb94d255aaf2f4cf05e75d.raft.blixard:2380")]
    public void What_is_no_peer_url_is_not_read(string url) => Assert.False(EtcdMembership.TryReadPeerUrl(url, out _));
}
