using System.Net;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.NetReport.Stun;

/// <summary>
/// Asks several STUN servers at once and repeats what stays unanswered (RFC 8489 §6.2.1). No I/O and no clock: what to send comes out
/// of <see cref="TryGetTransmit"/>, what came in goes into <see cref="HandleDatagram"/>. Not thread-safe.
/// </summary>
internal sealed class StunProber
{
    /// <summary>More servers would tell nothing new; each costs a few packets a report.</summary>
    public const int TargetsMax = 16;

    // The RFC asks for 500 ms at first and seven requests, 39.5 s in all. A report has 3 s for UDP: requests at 0, 250, 750 and 1,750 ms.
    private static readonly TimeSpan s_firstWait = TimeSpan.FromMilliseconds(250);
    private const int RequestsMax = 4;

    /// <summary>How long a server has to answer.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly List<Target> _targets = [];

    /// <summary>When <see cref="TryGetTransmit"/> has more to send or a server is given up; <see cref="Instant.Never"/> if all is done.</summary>
    public Instant NextTimeout => _targets.Where(target => !target.IsDone).Select(target => target.NextTimeout).DefaultIfEmpty(Instant.Never).Min();

    /// <summary>Whether every server has answered or was given up.</summary>
    public bool IsDone => _targets.TrueForAll(target => target.IsDone);

    /// <summary>Adds a server.</summary>
    /// <param name="now">The present moment: its patience begins.</param>
    /// <param name="server">The server's address. One that is asked already is not asked twice.</param>
    /// <param name="id">A random transaction id that nobody can guess.</param>
    /// <returns>False if there are <see cref="TargetsMax"/> already.</returns>
    public bool TryAdd(Instant now, IPEndPoint server, StunTransactionId id)
    {
        if (_targets.Exists(target => target.Server.Equals(server)))
            return true;
        if (_targets.Count == TargetsMax)
            return false;
        _targets.Add(new Target(server, id, now));
        return true;
    }

    /// <summary>The next request that is due.</summary>
    /// <param name="now">The present moment.</param>
    /// <param name="destination">At least <see cref="StunMessage.RequestLength"/> bytes.</param>
    /// <param name="to">Where it goes.</param>
    /// <param name="length">How long it is.</param>
    /// <returns>False if nothing is due.</returns>
    public bool TryGetTransmit(Instant now, Span<byte> destination, out IPEndPoint? to, out int length)
    {
        foreach (Target target in _targets)
        {
            if (target.TrySend(now))
            {
                to = target.Server;
                length = StunMessage.WriteRequest(destination, target.Id);
                return true;
            }
        }

        (to, length) = (null, 0);
        return false;
    }

    /// <summary>
    /// Takes a datagram that came in. Only an answer from the address that was asked, to a transaction that is open, with an address of the
    /// family that it came over, counts; everything else changes nothing.
    /// </summary>
    /// <returns>What a server saw of us, and which one; null if this was no such answer.</returns>
    public (IPEndPoint Server, ObservedAddress Observed)? HandleDatagram(Instant now, IPEndPoint from, ReadOnlySpan<byte> datagram)
    {
        if (!StunMessage.TryReadAnswer(datagram, out StunAnswer answer)
            || _targets.Find(target => target.Id == answer.Id && target.Server.Equals(from)) is not { IsDone: false, Requests: > 0 } target)
            return null;
        if (answer.Mapped is null)
        {
            target.IsDone = true;
            return null;
        }

        if (answer.Mapped.AddressFamily != from.AddressFamily)
            return null;
        target.IsDone = true;
        // Which of several requests was answered is not known: then this is more than the round trip, never less.
        TimeSpan roundTrip = now - target.FirstRequest;
        return (target.Server, new ObservedAddress(answer.Mapped, roundTrip > TimeSpan.Zero ? roundTrip : TimeSpan.FromTicks(1)));
    }

    /// <summary>A server is not asked any more: there is no way to it.</summary>
    public void GiveUp(IPEndPoint server)
    {
        if (_targets.Find(target => target.Server.Equals(server)) is { } target)
            target.IsDone = true;
    }

    private sealed class Target(IPEndPoint server, StunTransactionId id, Instant start)
    {
        public IPEndPoint Server { get; } = server;

        public StunTransactionId Id { get; } = id;

        public int Requests { get; private set; }

        public Instant FirstRequest { get; private set; }

        public Instant NextTimeout { get; private set; } = start;

        public bool IsDone { get; set; }

        public bool TrySend(Instant now)
        {
            if (IsDone || now < NextTimeout)
                return false;
            if (Requests == RequestsMax)
            {
                IsDone = true;
                return false;
            }

            if (Requests == 0)
                FirstRequest = now;
            Instant next = now + (s_firstWait * (1 << Requests));
            Requests++;
            NextTimeout = Requests == RequestsMax ? FirstRequest + Patience : next;
            return true;
        }
    }
}
