using Blixard.Cluster.Store;
using Blixard.Etcd.Client;

namespace Blixard.Etcd.Store;

/// <summary>etcd's failures as the store's, in sentences for people.</summary>
internal static class EtcdFailures
{
    /// <summary>What the store throws for a failure of etcd.</summary>
    public static Exception ToStore(EtcdException failure) => failure.Kind switch
    {
        EtcdErrorKind.TooLarge or EtcdErrorKind.InvalidRequest =>
            new ArgumentException($"The cluster store refuses the request: {failure.Message}", failure),
        _ => new StoreUnavailableException(Sentence(failure), failure) { HadNoEffect = failure.HadNoEffect },
    };

    private static string Sentence(EtcdException failure) => failure.Kind switch
    {
        EtcdErrorKind.Unreachable => $"The cluster store of this server does not run: {failure.Message}",
        EtcdErrorKind.ConnectionLost => $"The cluster store of this server broke the call off: {failure.Message}",
        EtcdErrorKind.TimedOut => "The cluster store did not answer in time: it elects a leader, or most of its servers cannot be reached.",
        EtcdErrorKind.NoLeader => "The cluster store has no leader: this server cannot reach most of the others, or most are down.",
        EtcdErrorKind.LeaderChanged => "The cluster store's leader changed during the call.",
        EtcdErrorKind.Stopped => "The cluster store of this server is being stopped.",
        EtcdErrorKind.NotCapable => "The cluster store of this server has just started and does not serve yet.",
        EtcdErrorKind.NotSupportedForLearner => "The cluster store of this server has yet to catch up with the others before it serves.",
        EtcdErrorKind.NoSpace => "The cluster store is full: etcd's database has reached its quota and takes no writes until its alarm is ended.",
        EtcdErrorKind.TooManyRequests => "The cluster store has too many calls waiting.",
        EtcdErrorKind.Corrupt => "The cluster store's servers disagree about their data (etcd's alarm CORRUPT). Replace the one that differs.",
        EtcdErrorKind.WatchCanceled => "The cluster store ended the watch: this server cannot reach most of the others.",
        _ => $"The cluster store failed: {failure.Message}",
    };
}
