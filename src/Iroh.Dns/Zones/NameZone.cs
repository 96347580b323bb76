using System.Net;
using System.Text;
using Iroh.Dns.Messages;
using Iroh.Dns.Pkarr;

namespace Iroh.Dns.Zones;

/// <summary>
/// Answers DNS queries for its origins from the packets that endpoints have signed: a name <c>N.ID</c> of a packet is found at
/// <c>N.ID.ORIGIN</c>. No I/O; one owner, not thread-safe.
/// </summary>
public sealed class NameZone
{
    /// <summary>The largest UDP payload that is sent: it passes everywhere without being cut in pieces (DNS flag day 2020).</summary>
    public const int UdpLengthMax = 1232;

    /// <summary>
    /// How many times as long as its query an answer over UDP may be. The query's sender address may be forged; an answer that
    /// does not fit is asked for again over TCP, where it cannot be.
    /// </summary>
    public const int AmplificationMax = 3;

    // Nobody may make caches keep a record of an endpoint for longer; addresses do not last longer either.
    private const uint TimeToLiveMaxSeconds = 86_400;

    // RFC 1035 §3.3.13. There are no secondaries that would look at these; the serial never changes for the same reason.
    private const uint Serial = 1, RefreshSeconds = 86_400, RetrySeconds = 7_200, ExpireSeconds = 604_800;

    // AXFR and IXFR: the zone is not given away as a whole.
    private const int IncrementalTransfer = 251, FullTransfer = 252;

    private readonly NameZoneConfiguration _configuration;
    private readonly IReadOnlyList<DomainName> _nameServers;
    private readonly DomainName _mailbox;

    /// <summary>A zone without packets.</summary>
    /// <exception cref="ArgumentException">There is no origin, or a limit is out of range.</exception>
    public NameZone(NameZoneConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        if (configuration.Origins.Count == 0)
            throw new ArgumentException("A name server needs at least one origin, the zone that it answers for.", nameof(configuration));
        _configuration = configuration;
        _nameServers = configuration.NameServers.Count > 0 ? configuration.NameServers : [configuration.Origins[0].Prepend("ns1")];
        _mailbox = configuration.Mailbox ?? configuration.Origins[0].Prepend("hostmaster");
        Packets = new PacketStore(configuration.PacketsMax, configuration.Retention);
    }

    /// <summary>The packets that are answered from.</summary>
    public PacketStore Packets { get; }

    /// <summary>Answers a query as it came from the network.</summary>
    /// <param name="now">The time.</param>
    /// <param name="query">The bytes.</param>
    /// <param name="isSourceProven">
    /// Whether the sender has shown that its address is its own, as over TCP and HTTPS. If not, the answer has at most
    /// <see cref="AmplificationMax"/> times the query's length.
    /// </param>
    /// <returns>The answer; null for what deserves none: an answer, or less than a header.</returns>
    public byte[]? Answer(DateTimeOffset now, ReadOnlySpan<byte> query, bool isSourceProven)
    {
        // Answers to answers would make two servers talk to each other for ever.
        if (query.Length < DnsMessage.HeaderLength || (query[2] & 0x80) != 0)
            return null;
        if (!DnsMessage.TryRead(query, out DnsMessage? message))
        {
            ushort id = (ushort)((query[0] << 8) | query[1]);
            return new DnsMessage { Id = id, IsResponse = true, ResponseCode = DnsResponseCode.FormatError }.ToBytes();
        }

        int lengthMax = isSourceProven
            ? DnsMessage.LengthMax
            : Math.Min(
                query.Length * AmplificationMax,
                Math.Clamp((int)(message.Edns?.PayloadSize ?? 0), DnsMessage.UdpLengthMax, UdpLengthMax));
        return Answer(now, message).ToBytes(lengthMax);
    }

    /// <summary>Answers a query, however long the answer becomes.</summary>
    public DnsMessage Answer(DateTimeOffset now, DnsMessage query)
    {
        ArgumentNullException.ThrowIfNull(query);
        var answer = new DnsMessage
        {
            Id = query.Id,
            IsResponse = true,
            Opcode = query.Opcode,
            RecursionDesired = query.RecursionDesired,
            Edns = query.Edns is null ? null : new Edns(UdpLengthMax),
        };
        if (query.Opcode != 0)
            return answer with { ResponseCode = DnsResponseCode.NotImplemented };
        if (query.Edns is { Version: > 0 })
            return answer with { Edns = new Edns(UdpLengthMax, ExtendedCode: (int)DnsResponseCode.BadVersion >> 4) };
        if (query.Questions.Count != 1)
            return answer with { ResponseCode = DnsResponseCode.FormatError };
        DnsQuestion question = query.Questions[0];
        answer = answer with { Questions = [question] };
        if (question.Class != DnsClass.Internet
            || (int)question.Type is IncrementalTransfer or FullTransfer
            || FindOrigin(question.Name) is not { } origin)
            return answer with { ResponseCode = DnsResponseCode.Refused };

        answer = answer with { IsAuthoritative = true };
        if (Find(now, question.Name, origin) is not { } records)
            return answer with { ResponseCode = DnsResponseCode.NameError, Authorities = [StartOfAuthority(origin, _configuration.NegativeTimeToLive)] };
        List<DnsRecord> answers = Select(records, question.Type);
        return answers.Count > 0
            ? answer with { Answers = answers }
            : answer with { Authorities = [StartOfAuthority(origin, _configuration.NegativeTimeToLive)] };
    }

    private static List<DnsRecord> Select(List<DnsRecord> records, DnsType type)
    {
        // RFC 8482 §4.1: whoever asks for everything gets one of the sets.
        if (type == DnsType.ANY)
            type = records.Count > 0 ? records[0].Type : DnsType.None;
        List<DnsRecord> selected = records.FindAll(record => record.Type == type);
        return selected.Count > 0 ? selected : records.FindAll(record => record.Type == DnsType.CNAME);
    }

    private static uint Seconds(TimeSpan duration) => (uint)Math.Clamp(duration.TotalSeconds, 0, TimeToLiveMaxSeconds);

    private DomainName? FindOrigin(DomainName name) =>
        _configuration.Origins.Where(name.IsWithin).MaxBy(origin => origin.LabelCount);

    /// <summary>All records of a name; empty if there are only names below it; null if there is no such name.</summary>
    private List<DnsRecord>? Find(DateTimeOffset now, DomainName name, DomainName origin)
    {
        var records = new List<DnsRecord>();
        if (name.Equals(origin))
        {
            records.Add(StartOfAuthority(origin, _configuration.TimeToLive));
            uint timeToLive = Seconds(_configuration.TimeToLive);
            records.AddRange(_nameServers.Select(server => new DnsRecord(name, DnsType.NS, DnsClass.Internet, timeToLive, new NameData(server))));
            AddAddresses(records, name);
            return records;
        }

        if (_nameServers.Contains(name))
        {
            AddAddresses(records, name);
            return records;
        }

        return FindPacket(now, name, origin) is { } packet && AddSigned(records, packet, name, origin) ? records : null;
    }

    private void AddAddresses(List<DnsRecord> records, DomainName name)
    {
        foreach (IPAddress address in _configuration.Addresses)
            records.Add(DnsRecord.Address(name, Seconds(_configuration.TimeToLive), address));
    }

    /// <summary>The packet of the endpoint whose id is the label just below the origin.</summary>
    private PkarrPacket? FindPacket(DateTimeOffset now, DomainName name, DomainName origin)
    {
        while (name.LabelCount > origin.LabelCount + 1)
            name = name.Parent;

        // Names are equal in any case, and resolvers mix it on purpose; z-base-32 is lower case.
        string label = Encoding.Latin1.GetString(name.FirstLabel).ToLowerInvariant();
        return Packets.TryGet(now, label, out PkarrPacket? packet) ? packet : null;
    }

    /// <summary>Adds the signed records of a name.</summary>
    /// <returns>Whether the name or one below it is in the packet.</returns>
    private static bool AddSigned(List<DnsRecord> records, PkarrPacket packet, DomainName name, DomainName origin)
    {
        DomainName root = PkarrPacket.RootOf(packet.Id);
        bool exists = false;
        foreach (DnsRecord record in packet.Message.Answers)
        {
            if (!IsServed(record) || !record.Name.IsWithin(root) || !record.Name.TryRebase(DomainName.Root, origin, out DomainName? owner))
                continue;
            exists |= owner.IsWithin(name);
            if (owner.Equals(name))
                records.Add(record with { Name = name, TimeToLive = Math.Min(record.TimeToLive, TimeToLiveMaxSeconds) });
        }

        return exists;
    }

    /// <summary>
    /// Start and servers of the zone are the server's to name. Data of a type that is not understood are passed on unless it is one of
    /// RFC 1035, whose names may point into the packet (RFC 3597 §4).
    /// </summary>
    private static bool IsServed(DnsRecord record) =>
        record is { Class: DnsClass.Internet, Type: not (DnsType.SOA or DnsType.NS) } && (record.Data is not RawData || (int)record.Type > (int)DnsType.TXT);

    private DnsRecord StartOfAuthority(DomainName origin, TimeSpan timeToLive) => new(
        origin,
        DnsType.SOA,
        DnsClass.Internet,
        Seconds(timeToLive),
        new StartOfAuthorityData(
            _nameServers[0], _mailbox, Serial, RefreshSeconds, RetrySeconds, ExpireSeconds, Seconds(_configuration.NegativeTimeToLive)));
}
