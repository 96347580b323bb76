using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Timers;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>Decides what the next datagram is for, and on which path it leaves.</summary>
internal sealed class SendScheduler
{
    private readonly ConnectionState _state;
    private readonly ConnectionKeys _keys;
    private readonly PathTable _paths;
    private readonly PacketSpaces _spaces;
    private readonly FrameFiller _filler;
    private readonly HolePunching _punching;

    public SendScheduler(
        ConnectionState state, ConnectionKeys keys, PathTable paths, PacketSpaces spaces, FrameFiller filler, HolePunching punching)
    {
        _punching = punching;
        _state = state;
        _keys = keys;
        _paths = paths;
        _spaces = spaces;
        _filler = filler;
    }

    /// <summary>The next datagram, of kind <see cref="SendKind.Nothing"/> if there is none now.</summary>
    /// <param name="now">The time of sending.</param>
    /// <param name="space">Bytes that the caller's buffer has room for.</param>
    public SendPlan Next(Instant now, int space)
    {
        if (!_state.IsOpen)
            return _state.OwesClose ? PlanClose(space) : default;
        DataPaths.Choose(_paths);
        if (PlanProbe(space) is { Kind: not SendKind.Nothing } probe)
            return probe;
        for (int i = 0; i < _paths.Count; i++)
        {
            Path path = _paths[i];
            if (!path.RemoteIds.HasActive || (path.IsAbandoned && !path.CarriesControl))
                continue;
            SendPlan plan = PlanOffPath(path, space);
            if (plan.Kind == SendKind.Nothing)
                plan = PlanOnPath(now, path, space);
            if (plan.Kind != SendKind.Nothing)
                return plan;
        }

        return default;
    }

    private SendPlan PlanClose(int space)
    {
        for (int i = 0; i < _paths.Count; i++)
        {
            Path path = _paths[i];
            int size = path.OwesClose && path.RemoteIds.HasActive ? SizeMax(path.Current, MtuDiscovery.BaseSize, space) : 0;
            if (size > 0)
                return new SendPlan(SendKind.Close, path, path.Current, path.Current.Address, size, WithData: false);
        }

        return default;
    }

    private SendPlan PlanProbe(int space)
    {
        if (!_punching.TryPeekProbe(out FourTuple address) || !_paths.TryFindProbeCarrier(out Path? carrier))
            return default;
        return new SendPlan(SendKind.OffPathProbe, carrier, null, address, Math.Min(MtuDiscovery.BaseSize, space), WithData: true);
    }

    private SendPlan PlanOffPath(Path path, int space)
    {
        if (_keys.Application is null)
            return default;
        if (path.Responses.TryPeekElsewhere(path.Current.Address, out FourTuple address, out int sizeMax))
            return new SendPlan(SendKind.OffPath, path, null, address, Math.Min(sizeMax, space), WithData: true);
        if (path.Previous is not { Validator.WantsChallenge: true } previous)
            return default;
        int size = SizeMax(previous, MtuDiscovery.BaseSize, space);
        return size == 0 ? default : new SendPlan(SendKind.OffPath, path, previous, previous.Address, size, WithData: true);
    }

    private SendPlan PlanOnPath(Instant now, Path path, int space)
    {
        PathRecovery recovery = path.Current.Recovery;
        int size = SizeMax(path.Current, recovery.Mtu.Current, space);
        if (size == 0)
            return default;
        bool isAckDue = false, hasData = false, isProbe = false;
        for (EncryptionLevel level = EncryptionLevel.Initial; level <= EncryptionLevel.Application; level++)
        {
            if (!_keys.Has(level) || _spaces.Find(level, path) is not { } numbers)
                continue;
            bool hasLevelData = _filler.HasData(level, path);
            if (level != EncryptionLevel.Application && hasLevelData)
                LetHandshakePass(numbers, recovery);
            isAckDue |= IsAckDue(now, path, level, numbers);
            isProbe |= numbers.ProbesPending > 0;
            hasData |= hasLevelData;
        }

        // RFC 9002 §6.2.4, §7.5: probes leave whatever the window says, and small enough for a path whose MTU has shrunk.
        if (isProbe)
            size = Math.Min(size, MtuDiscovery.BaseSize);
        bool mayData = hasData && MaySendData(now, path, size);
        if (isAckDue || isProbe || mayData)
            return new SendPlan(SendKind.Packets, path, path.Current, path.Current.Address, size, mayData, recovery.Ecn.Mark);
        return PlanMtuProbe(now, path, space);
    }

    private bool IsAckDue(Instant now, Path path, EncryptionLevel level, PacketNumberSpace numbers)
    {
        if (level != EncryptionLevel.Application || _paths.Count == 1)
            return numbers.Acks.IsAckDue(now);
        return ((path.CarriesControl || !path.IsMute) && numbers.Acks.IsAckDue(now))
            || (path.CarriesControl && _filler.IsAckDueElsewhere(now, path));
    }

    // A window full of 1-RTT packets, which the peer cannot read before the handshake is complete, must not hold up what completes it:
    // no probe timer runs for them (RFC 9002 §6.2.1), nor for a level that has nothing in flight.
    private static void LetHandshakePass(PacketNumberSpace numbers, PathRecovery recovery)
    {
        if (numbers.Sent.AckElicitingOutstanding == 0 && !recovery.Congestion.CanSend(MtuDiscovery.BaseSize))
            numbers.ProbesPending = Math.Max(1, numbers.ProbesPending);
    }

    private static bool MaySendData(Instant now, Path path, int size)
    {
        PathRecovery recovery = path.Current.Recovery;
        path.Timers.Stop(PathTimer.Pacing);
        if (!recovery.Congestion.CanSend(size))
            return false;
        Instant at = recovery.Pacer.NextSendTime(
            now, size, recovery.Congestion.Window, recovery.Rtt.Smoothed, recovery.Mtu.Current);
        if (at <= now)
            return true;
        path.Timers[PathTimer.Pacing] = at;
        return false;
    }

    private SendPlan PlanMtuProbe(Instant now, Path path, int space)
    {
        // RFC 9000 §14.3: not before the handshake is confirmed, and not to an address that may be somebody else's.
        NetworkPath network = path.Current;
        if (!_state.IsConfirmed || !network.Validator.IsValidated
            || !network.Recovery.Mtu.TryGetProbe(now, out int size) || size > space || !network.Recovery.Congestion.CanSend(size))
            return default;
        return new SendPlan(SendKind.MtuProbe, path, network, network.Address, size, WithData: true, network.Recovery.Ecn.Mark);
    }

    // 0 if amplification allows nothing that is worth sending to the address (RFC 9000 §8.1).
    private static int SizeMax(NetworkPath network, int size, int space)
    {
        AmplificationLimit limit = network.Recovery.Amplification;
        return limit.IsExhausted ? 0 : (int)Math.Min(limit.Budget, Math.Min(size, space));
    }
}
