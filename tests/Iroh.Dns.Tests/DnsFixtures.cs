using System.Net;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Dns.Messages;

namespace Iroh.Dns.Tests;

/// <summary>Keys, records and random messages that several tests use.</summary>
internal static class DnsFixtures
{
    /// <summary>The key with the seed 00 01 … 1f.</summary>
    public static SecretKey Key { get; } = SecretKey.FromBytes([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

    public static DateTimeOffset Now { get; } = new(2026, 11, 23, 0, 0, 0, TimeSpan.Zero);

    public static SecretKey KeyOf(int number) => SecretKey.FromBytes([.. BitConverter.GetBytes(number), .. new byte[28]]);

    public static EndpointRecord Record(SecretKey key, string? userData, params string[] addresses) => new(
        new EndpointAddress(
            key.PublicKey,
            addresses.Select(address => address.Contains("//", StringComparison.Ordinal)
                ? TransportAddress.Relay(RelayUrl.Parse(address))
                : TransportAddress.Ip(IPEndPoint.Parse(address)))),
        userData);

    /// <summary>The bytes with a few of them changed, cut off or added.</summary>
    public static byte[] Damage(RandomSource random, byte[] bytes)
    {
        List<byte> damaged = [.. bytes];
        for (int changes = (int)random.NextBelow(4); changes >= 0; changes--)
        {
            int at = (int)random.NextBelow((ulong)damaged.Count + 1);
            switch (random.NextBelow(4))
            {
                case 0 when at < damaged.Count:
                    damaged[at] = (byte)random.NextBelow(256);
                    break;
                case 1:
                    damaged.Insert(at, (byte)random.NextBelow(256));
                    break;
                case 2 when at < damaged.Count:
                    damaged.RemoveAt(at);
                    break;
                case 3:
                    damaged.RemoveRange(at, damaged.Count - at);
                    break;
            }
        }

        return [.. damaged];
    }

    /// <summary>A message of random records of all types, with names that share their ends.</summary>
    public static DnsMessage RandomMessage(RandomSource random) => new()
    {
        Id = (ushort)random.NextBelow(65_536),
        IsResponse = random.NextBelow(2) == 0,
        Opcode = (byte)random.NextBelow(16),
        IsAuthoritative = random.NextBelow(2) == 0,
        IsTruncated = random.NextBelow(2) == 0,
        RecursionDesired = random.NextBelow(2) == 0,
        RecursionAvailable = random.NextBelow(2) == 0,
        ResponseCode = (DnsResponseCode)random.NextBelow(16),
        Questions = Many(random, 3, () => new DnsQuestion(RandomName(random), (DnsType)random.NextBelow(300), (ushort)random.NextBelow(65_536))),
        Answers = Many(random, 5, () => RandomRecord(random)),
        Authorities = Many(random, 3, () => RandomRecord(random)),
        Additionals = Many(random, 3, () => RandomRecord(random)),
        Edns = random.NextBelow(2) == 0 ? null : new Edns((ushort)random.NextBelow(65_536), (byte)random.NextBelow(256), (byte)random.NextBelow(256)),
    };

    public static DomainName RandomName(RandomSource random)
    {
        string[] labels = ["a", "B", "example", "_iroh", "local", new string('x', 63)];
        DomainName name = DomainName.Root;
        for (int i = (int)random.NextBelow(6); i > 0; i--)
        {
            string label = labels[random.NextBelow((ulong)labels.Length)];
            if (name.Wire.Length + label.Length + 1 <= DomainName.LengthMax)
                name = name.Prepend(label);
        }

        return name;
    }

    private static DnsRecord RandomRecord(RandomSource random)
    {
        (DnsType type, DnsData data) = random.NextBelow(9) switch
        {
            0 => (DnsType.A, new AddressData(new IPAddress(Bytes(random, 4)))),
            1 => (DnsType.AAAA, new AddressData(new IPAddress(Bytes(random, 16)))),
            2 => (DnsType.NS, new NameData(RandomName(random))),
            3 => (DnsType.CNAME, new NameData(RandomName(random))),
            4 => (DnsType.PTR, new NameData(RandomName(random))),
            5 => (DnsType.TXT, new TextData([Bytes(random, (int)random.NextBelow(256)), Bytes(random, (int)random.NextBelow(256))])),
            6 => (DnsType.SRV, (DnsData)new ServiceData(1, 2, (ushort)random.NextBelow(65_536), RandomName(random))),
            7 => (DnsType.SOA, new StartOfAuthorityData(RandomName(random), RandomName(random), 1, 2, 3, 4, uint.MaxValue)),
            _ => ((DnsType)(256 + random.NextBelow(1000)), new RawData(Bytes(random, (int)random.NextBelow(50)))),
        };
        return new DnsRecord(RandomName(random), type, (ushort)random.NextBelow(65_536), (uint)random.NextUInt64(), data);
    }

    private static byte[] Bytes(RandomSource random, int length)
    {
        byte[] bytes = new byte[length];
        random.Fill(bytes);
        return bytes;
    }

    private static List<T> Many<T>(RandomSource random, ulong max, Func<T> create) => [.. Enumerable.Range(0, (int)random.NextBelow(max + 1)).Select(_ => create())];
}
