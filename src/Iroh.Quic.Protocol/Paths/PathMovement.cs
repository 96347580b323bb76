using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Timers;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>Moves paths to other addresses and back, and runs the timers of their validation and keep-alive (RFC 9000 §8.2, §9, §10.1.2).</summary>
internal sealed class PathMovement
{
    /// <summary>Validation ends after so many probe timeouts (RFC 9000 §8.2.4).</summary>
    private const int ValidationProbeTimeouts = 3;

    /// <summary>
    /// A new path gets at least so long, which is the same with the initial RTT of 333 ms: where a probe has measured a short one before,
    /// challenges are repeated sooner, and have more tries.
    /// </summary>
    private static readonly TimeSpan OpeningTimeMin = TimeSpan.FromSeconds(3);

    /// <summary>The longest wait for the answer to a challenge, as for probes.</summary>
    private static readonly TimeSpan ChallengeIntervalMax = TimeSpan.FromSeconds(2);

    private readonly NetworkPathFactory _factory;
    private readonly TimeSpan _keepAliveInterval;
    private readonly TraceSink? _trace;

    public PathMovement(NetworkPathFactory factory, TimeSpan keepAliveInterval, TraceSink? trace)
    {
        _factory = factory;
        _keepAliveInterval = keepAliveInterval;
        _trace = trace;
    }

    /// <summary>How many times a path has moved.</summary>
    public ulong Migrations { get; private set; }

    /// <summary>
    /// Counts a datagram for the amplification limit of the 4-tuple it came on (RFC 9000 §8.1), and returns that 4-tuple in the form in
    /// which the path knows it.
    /// </summary>
    public static FourTuple Attribute(Path path, FourTuple address, int length)
    {
        NetworkPath? network = path.Current.Carries(address) ? path.Current
            : path.Previous is { } previous && previous.Carries(address) ? previous
            : null;
        if (network is null)
            return address;
        network.LearnLocal(address.Local);
        network.Recovery.Amplification.OnDatagramReceived(length);
        return network.Address;
    }

    /// <summary>Asks a path whether it still works. Without an answer its idle timeout decides.</summary>
    public static void Ask(Instant now, Path path)
    {
        path.Current.Validator.Begin();
        path.Timers.Stop(PathTimer.Challenge);
        if (path.Timers[PathTimer.Validation] == Instant.Never)
            Prolong(now, path);
    }

    /// <summary>Repeats the challenge at this time if it was sent, is not answered by then, and would be repeated later.</summary>
    public static void Hasten(Path path, Instant at)
    {
        if (path.Timers[PathTimer.Challenge] != Instant.Never)
            path.Timers[PathTimer.Challenge] = Instant.Min(path.Timers[PathTimer.Challenge], at);
    }

    /// <summary>Gives the validation of a path more time.</summary>
    public static void Prolong(Instant now, Path path)
    {
        TimeSpan time = path.ProbeTimeout * ValidationProbeTimeouts;
        path.Timers[PathTimer.Validation] = now + (path.IsOpened || time > OpeningTimeMin ? time : OpeningTimeMin);
    }

    /// <summary>The peer sends from another address now (RFC 9000 §9.3).</summary>
    /// <param name="now">The present.</param>
    /// <param name="path">The path.</param>
    /// <param name="address">The new address.</param>
    /// <param name="datagramLength">Bytes of the datagram that came from there.</param>
    public void Migrate(Instant now, Path path, FourTuple address, int datagramLength)
    {
        FourTuple from = path.Current.Address;
        if (path.Previous is { } previous && previous.Carries(address))
        {
            Revert(now, path);
            return;
        }

        TimeSpan before = path.ProbeTimeout;
        path.Migrate(address, _factory.CreateRecovery);
        path.Current.Recovery.Amplification.OnDatagramReceived(datagramLength);

        // RFC 9000 §9.5: another id, if the peer has given one, so that nobody can link the two addresses by it.
        path.RemoteIds.TrySwitch();
        path.Loss.ProbeTimeout.Reset();
        path.Timers.Stop(PathTimer.Challenge);
        TimeSpan probeTimeout = path.ProbeTimeout > before ? path.ProbeTimeout : before;
        path.Timers[PathTimer.Validation] = now + (probeTimeout * ValidationProbeTimeouts);
        Migrations++;
        _trace?.PathMigrated(now, path.Id, from, address);
    }

    /// <summary>A PATH_RESPONSE validated one of the path's addresses.</summary>
    public void OnValidated(Instant now, Path path, NetworkPath validated)
    {
        _trace?.PathValidated(now, path.Id, validated.Address);
        if (validated != path.Current)
            return;
        path.Timers.Stop(PathTimer.Validation);
        path.Timers.Stop(PathTimer.Challenge);
    }

    /// <summary>A 1-RTT packet was sent or received on the path: the silence that a keep-alive breaks starts anew.</summary>
    public void OnActivity(Instant now, Path path)
    {
        if (_keepAliveInterval > TimeSpan.Zero && !path.IsAbandoned)
            path.Timers[PathTimer.KeepAlive] = now + _keepAliveInterval;
    }

    /// <summary>Starts the timer of a challenge that was sent and has none.</summary>
    public static void UpdateChallengeTimer(Instant now, Path path)
    {
        PathValidator validator = path.Current.Validator;
        if (!validator.IsActive || validator.WantsChallenge || path.Timers[PathTimer.Challenge] != Instant.Never)
            return;
        TimeSpan interval = path.ProbeTimeout * Math.Pow(2, Math.Min(validator.ChallengesSent - 1, 8));
        path.Timers[PathTimer.Challenge] = now + (interval < ChallengeIntervalMax ? interval : ChallengeIntervalMax);
    }

    /// <summary>Handles the expired timers of validation and keep-alive.</summary>
    public void HandleTimeout(Instant now, Path path)
    {
        if (path.Timers.TryExpire(PathTimer.Challenge, now))
            path.Current.Validator.OnTimeout();
        if (path.Timers.TryExpire(PathTimer.Validation, now))
            Revert(now, path);
        if (path.Timers.TryExpire(PathTimer.KeepAlive, now))
            path.WantsPing = true;
    }

    private void Revert(Instant now, Path path)
    {
        FourTuple from = path.Current.Address;
        path.Timers.Stop(PathTimer.Validation);
        path.Timers.Stop(PathTimer.Challenge);
        if (!path.Revert())
        {
            // It was validated before and is not asked any longer: its idle time decides.
            if (path.Current.Validator.IsValidated)
                path.Current.Validator.Stop();
            return;
        }

        path.Loss.ProbeTimeout.Reset();
        Migrations++;
        _trace?.PathMigrated(now, path.Id, from, path.Current.Address);
    }
}
