using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Timers;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// One path id: its 1-RTT packet numbers, the connection ids of both ends, its timers, and the 4-tuple that it uses at the moment.
/// <code>
/// on one 4-tuple --Migrate--> on a new one, not validated, the last validated one kept
///                  --OnResponse--> validated, the old one forgotten
///                  --Revert--> back on the old one
/// </code>
/// </summary>
internal sealed class Path
{
    /// <summary>The key phase bookkeeping of this path's packet numbers; <see cref="KeyUpdate"/> reads and writes it.</summary>
    public KeyPhaseWindow KeyPhaseWindow;

    /// <summary>
    /// A peer that has moved may send nothing but short acknowledgements, of which three times the length must do for a challenge and an
    /// acknowledgement in return: that is less than this many bytes.
    /// </summary>
    public const int MigratedDatagramMin = 80;

    private int _nextGeneration;
    private ulong _peerStatusSequence;

    public Path(
        PathId id, NetworkPath current, PacketNumberSpace space, LossDetector loss, LocalIds localIds, RemoteIds remoteIds)
    {
        Id = id;
        Current = current;
        Space = space;
        Loss = loss;
        LocalIds = localIds;
        RemoteIds = remoteIds;
        _nextGeneration = current.Recovery.Generation + 1;
    }

    /// <summary>How this end uses the path.</summary>
    public PathStatus Status { get; set; }

    /// <summary>Counts this end's statuses; the first that is announced has 1.</summary>
    public ulong StatusSequence { get; set; }

    /// <summary>Whether the status has to be announced.</summary>
    public bool IsStatusPending { get; set; }

    /// <summary>How the peer uses the path, as far as it has said.</summary>
    public PathStatus? PeerStatus { get; private set; }

    /// <summary>Whether it was validated at some time, or was the handshake's: only such a path carries data.</summary>
    public bool IsOpened { get; set; }

    /// <summary>Whether an end has given it up. It still acknowledges what arrives, until it is forgotten.</summary>
    public bool IsAbandoned { get; set; }

    /// <summary>Whether the peer has acknowledged the PATH_ABANDON that told it so.</summary>
    public bool IsAbandonAcknowledged { get; set; }

    /// <summary>Whether data in flight went unanswered for so long that other paths carry it.</summary>
    public bool IsSilent { get; set; }

    /// <summary>When the peer last acknowledged something that was sent on the path.</summary>
    public Instant LastAnsweredAt { get; set; }

    /// <summary>Whether it has done so since the path became silent.</summary>
    public bool HasAnswered { get; set; }

    /// <summary>Whether data may go out here now: <see cref="DataPaths"/> chooses.</summary>
    public bool CarriesData { get; set; }

    /// <summary>Whether control frames that belong to no path may go out here now: <see cref="DataPaths"/> chooses.</summary>
    public bool CarriesControl { get; set; }

    /// <summary>Whether a CONNECTION_CLOSE is owed here.</summary>
    public bool OwesClose { get; set; }

    /// <summary>Which stateless reset the endpoint knows to end the connection.</summary>
    public ResetTokenRoute ResetToken { get; } = new();

    /// <summary>Bytes of UDP payload sent.</summary>
    public ulong BytesSent { get; set; }

    /// <summary>Bytes of datagrams received with packets of the path that authenticated.</summary>
    public ulong BytesReceived { get; set; }

    /// <summary>Packets declared lost.</summary>
    public ulong PacketsLost { get; set; }

    /// <summary>Their bytes.</summary>
    public ulong BytesLost { get; set; }

    /// <summary>The path id.</summary>
    public PathId Id { get; }

    /// <summary>The packet number space of 1-RTT packets.</summary>
    public PacketNumberSpace Space { get; }

    /// <summary>Finds lost packets and schedules probes, on the handshake's path for all levels.</summary>
    public LossDetector Loss { get; }

    /// <summary>The ids that this end has issued for the path.</summary>
    public LocalIds LocalIds { get; }

    /// <summary>The ids that the peer has issued for the path.</summary>
    public RemoteIds RemoteIds { get; }

    /// <summary>The path's timers.</summary>
    public TimerTable<PathTimer> Timers { get; } = new();

    /// <summary>Challenges to be answered.</summary>
    public PathResponses Responses { get; } = new();

    /// <summary>Addresses that the ends have told each other.</summary>
    public PathObservations Observations { get; } = new();

    /// <summary>The 4-tuple in use.</summary>
    public NetworkPath Current { get; private set; }

    /// <summary>The last validated 4-tuple, while a newer one is being validated; null otherwise.</summary>
    public NetworkPath? Previous { get; private set; }

    /// <summary>Whether a PING is owed on the path for the sake of being heard.</summary>
    public bool WantsPing { get; set; }

    /// <summary>The probe timeout of application data without backoff (RFC 9002 §6.2.1).</summary>
    public TimeSpan ProbeTimeout => Loss.ProbeTimeoutPeriod(Current.Recovery);

    /// <summary>
    /// Whether the path's acknowledgements are better sent on another: nothing may leave here, or what left lately was not answered.
    /// </summary>
    public bool IsMute => IsAbandoned || IsSilent || !RemoteIds.HasActive || Current.Recovery.Amplification.IsExhausted;

    /// <summary>What an application may know of the path.</summary>
    public PathSnapshot Snapshot()
    {
        PathRecovery recovery = Current.Recovery;
        return new PathSnapshot
        {
            Id = Id,
            Address = Current.Address,
            Status = Status,
            PeerStatus = PeerStatus,
            IsValidated = Current.Validator.IsValidated,
            IsSilent = IsSilent,
            CarriesData = CarriesData,
            SmoothedRtt = recovery.Rtt.Smoothed,
            MinRtt = recovery.Rtt.Min,
            Mtu = recovery.Mtu.Current,
            CongestionWindow = recovery.Congestion.Window,
            BytesInFlight = recovery.Congestion.BytesInFlight,
            BytesSent = BytesSent,
            BytesReceived = BytesReceived,
            BytesLost = BytesLost,
            PacketsLost = PacketsLost,
        };
    }

    /// <summary>PATH_STATUS arrived; false if a later one was there before.</summary>
    public bool SetPeerStatus(PathStatus status, ulong sequence)
    {
        if (sequence <= _peerStatusSequence)
            return false;
        _peerStatusSequence = sequence;
        PeerStatus = status;
        return true;
    }

    /// <summary>
    /// The peer has moved to another address (RFC 9000 §9.3). With the same IP address the way there is taken to be the same, so what was
    /// measured stays (§9.4); otherwise it starts afresh with <paramref name="createRecovery"/>'s result for the generation given to it.
    /// </summary>
    public void Migrate(FourTuple address, Func<int, PathRecovery> createRecovery)
    {
        NetworkPath before = Current;
        PathRecovery old = before.Recovery;
        var amplification = new AmplificationLimit(isValidated: false, MigratedDatagramMin);
        PathRecovery recovery;
        if (address.Remote.HasSameAddress(before.Address.Remote))
        {
            recovery = new PathRecovery(old.Generation, old.Rtt, old.Congestion, old.Mtu, amplification);
        }
        else
        {
            PathRecovery fresh = createRecovery(_nextGeneration++);
            recovery = new PathRecovery(fresh.Generation, fresh.Rtt, fresh.Congestion, fresh.Mtu, amplification);
        }

        // A 4-tuple that was never validated is not worth returning to (RFC 9000 §9.3.2).
        if (before.Validator.IsValidated)
            Previous = before;
        Current = new NetworkPath(address, recovery, isValidated: false);
        Current.Validator.Begin();
        Previous?.Validator.Begin();
    }

    /// <summary>Validation of the new address failed: back to the one before (RFC 9000 §9.3.2). False if there is none.</summary>
    public bool Revert()
    {
        if (Previous is not { } previous)
            return false;
        if (previous.Recovery.Generation != Current.Recovery.Generation)
            Loss.Resume(previous.Recovery);

        previous.Validator.Stop();
        Current = previous;
        Previous = null;
        return true;
    }

    /// <summary>
    /// A PATH_RESPONSE arrived (RFC 9000 §8.2.3). True if it validates an address; from which one it came does not matter, what was sent
    /// to the address and came back does.
    /// </summary>
    public bool OnResponse(ulong data, out NetworkPath validated)
    {
        validated = Current;
        if (Current.Validator.OnResponse(data, out bool wasExpanded))
        {
            Current.MarkValidated();
            Previous = null;

            // RFC 9000 §8.2.3: the address is the peer's, but whether 1200 bytes get there has to be asked again.
            if (!wasExpanded)
                Current.Validator.Begin();
            return true;
        }

        // The old address still answers (RFC 9000 §9.3.3). If the peer is there, its next packet brings the path back.
        if (Previous is not { } previous || !previous.Validator.OnResponse(data, out _))
            return false;
        validated = previous;
        return true;
    }
}
