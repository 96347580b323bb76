using Blixard.Chaos.Tests.Namespaces;

namespace Blixard.Chaos.Tests.Chaos;

/// <summary>
/// Three servers and a worker as processes in network namespaces, clients that write all the time, and bad luck. In each case nothing
/// that was acknowledged is lost, reads and writes are linearizable, and a watch tells every change once. bench/chaos runs the long form.
/// </summary>
public sealed class ChaosTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    [LabFact]
    public Task UDP_blocked_between_one_pair_moves_this_pair_to_gRPC_and_no_other() => cluster.RunAsync("udp-pair");

    [LabFact]
    public Task UDP_blocked_everywhere_moves_all_Raft_traffic_to_gRPC_under_a_leader() => cluster.RunAsync("udp-everywhere");

    [LabFact]
    public Task TCP_blocked_everywhere_leaves_all_Raft_traffic_on_P2P() => cluster.RunAsync("tcp-everywhere");

    [LabFact]
    public Task A_leader_that_is_cut_off_is_followed_by_another_and_comes_back() => cluster.RunAsync("one-cut-off");

    [LabFact]
    public Task Writes_go_on_after_everything_was_cut_off() => cluster.RunAsync("all-cut-off");

    [LabFact]
    public Task An_etcd_that_is_killed_alone_is_started_again_by_its_node() => cluster.RunAsync("etcd-killed");

    [LabFact]
    public Task Each_server_is_killed_in_turn_and_the_others_go_on() => cluster.RunAsync("each-killed");

    [LabFact]
    public Task The_leader_is_killed_again_and_again() => cluster.RunAsync("leader-killed");

    [LabFact]
    public Task A_VM_of_a_worker_that_is_cut_off_moves_or_waits_and_never_runs_twice() => cluster.RunAsync("worker-cut-off");

    [LabFact]
    public Task A_follower_whose_disk_was_full_catches_up() => cluster.RunAsync("disk-full");

    [LabFact]
    public Task A_server_that_lost_its_disk_takes_its_place_again() => cluster.RunAsync("wiped");
}
