using Iroh.Cryptography;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Codec;
using Iroh.Quic.Protocol.TransportParameters;

namespace Iroh.Quic.Protocol.Tests.TransportParameters;

public class TransportParameterTests
{
    private static readonly ConnectionId First = new([1, 2, 3, 4, 5, 6, 7, 8]);
    private static readonly ConnectionId Second = new([9, 10]);

    [Fact]
    public void Absent_parameters_have_the_defaults_of_RFC_9000()
    {
        TransportParameterSet parameters = Read("");
        Assert.Equal(new TransportParameterSet(), parameters);
        Assert.Equal(0UL, parameters.MaxIdleTimeoutMilliseconds);
        Assert.Equal(65527UL, parameters.MaxUdpPayloadSize);
        Assert.Equal(0UL, parameters.InitialMaxData);
        Assert.Equal(3, parameters.AckDelayExponent);
        Assert.Equal(TimeSpan.FromMilliseconds(25), parameters.MaxAckDelay);
        Assert.Equal(2UL, parameters.ActiveConnectionIdLimit);
        Assert.Equal(0UL, parameters.MaxDatagramFrameSize);
        Assert.Null(parameters.InitialMaxPathId);
        Assert.Null(parameters.MinAckDelayMicroseconds);
        Assert.Equal(AddressReports.None, parameters.AddressReports);
        Assert.Equal(0, parameters.NatTraversalAddressesMax);
    }

    [Fact]
    public void Parameters_of_iroh_are_found_under_their_ids()
    {
        TransportParameterSet parameters = Read("3e0107" + "c0000000ff04de1b0243e8" + "c00000009f81a1760101" + "c0003d7f911204010120");
        Assert.Equal(new PathId(7), parameters.InitialMaxPathId);
        Assert.Equal(1000UL, parameters.MinAckDelayMicroseconds);
        Assert.Equal(AddressReports.Receive, parameters.AddressReports);
        Assert.Equal(32, parameters.NatTraversalAddressesMax);
    }

    [Theory]
    [InlineData("00", AddressReports.Provide)]
    [InlineData("01", AddressReports.Receive)]
    [InlineData("02", AddressReports.Both)]
    public void Each_role_in_address_discovery_has_its_number(string value, AddressReports reports) =>
        Assert.Equal(reports, Read("c00000009f81a17601" + value).AddressReports);

    [Fact]
    public void Each_parameter_is_found_under_its_id()
    {
        TransportParameterSet parameters = Read(
            "00080102030405060708" + "01027530" + "0210000102030405060708090a0b0c0d0e0f" + "030245c0" + "04048000ffff"
            + "050105" + "060106" + "070107" + "080108" + "090109" + "0a0113" + "0b027fff"
            + "0c00" + "0e0105" + "0f02090a" + "1000" + "20048000ffff");
        Assert.Equal(First, parameters.OriginalDestinationConnectionId);
        Assert.Equal(0x3530UL, parameters.MaxIdleTimeoutMilliseconds);
        Assert.Equal("000102030405060708090a0b0c0d0e0f", parameters.StatelessResetToken?.ToString());
        Assert.Equal(1472UL, parameters.MaxUdpPayloadSize);
        Assert.Equal(65535UL, parameters.InitialMaxData);
        Assert.Equal(5UL, parameters.InitialMaxStreamDataBidirectionalLocal);
        Assert.Equal(6UL, parameters.InitialMaxStreamDataBidirectionalRemote);
        Assert.Equal(7UL, parameters.InitialMaxStreamDataUnidirectional);
        Assert.Equal(8UL, parameters.InitialMaxStreamsBidirectional);
        Assert.Equal(9UL, parameters.InitialMaxStreamsUnidirectional);
        Assert.Equal(19, parameters.AckDelayExponent);
        Assert.Equal(16383, parameters.MaxAckDelayMilliseconds);
        Assert.True(parameters.DisableActiveMigration);
        Assert.Equal(5UL, parameters.ActiveConnectionIdLimit);
        Assert.Equal(Second, parameters.InitialSourceConnectionId);
        Assert.Equal(default(ConnectionId), parameters.RetrySourceConnectionId);
        Assert.Equal(65535UL, parameters.MaxDatagramFrameSize);
        Assert.Null(parameters.PreferredAddress);
    }

    [Fact]
    public void The_parameters_in_the_ClientHello_of_RFC_9001_are_read()
    {
        // RFC 9001 §A.2, the extension 0x0039 in the CRYPTO frame.
        TransportParameterSet parameters = Read(
            "0408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff", Side.Client);
        Assert.Equal(VarInt.Max, parameters.InitialMaxData);
        Assert.Equal(30_000UL, parameters.MaxIdleTimeoutMilliseconds);
        Assert.Equal("8394c8f03e515708", parameters.InitialSourceConnectionId?.ToString());
    }

    [Fact]
    public void A_preferred_address_is_read()
    {
        PreferredAddress? address = Read(
            "0d2b" + "c000020101bb" + "20010db80000000000000000000000011f90" + "02090a" + "000102030405060708090a0b0c0d0e0f")
            .PreferredAddress;
        Assert.Equal("192.0.2.1:443", address?.IPv4.ToString());
        Assert.Equal("[2001:db8::1]:8080", address?.IPv6.ToString());
        Assert.Equal(Second, address?.ConnectionId);
    }

    [Fact]
    public void Unknown_and_reserved_parameters_are_ignored_even_if_repeated()
    {
        Assert.Equal(
            new TransportParameterSet { InitialMaxData = 1 },
            Read("1b021122" + "1b00" + "6ab200" + "c0000000ff04de1c0243e8" + "040101" + "3d0107"));
    }

    // One row a rule; RFC 9000 §7.4, §18 and §18.2.
    [Theory]
    [InlineData("04", "no length")]
    [InlineData("040280", "a value that is cut off")]
    [InlineData("40", "an id that is cut off")]
    [InlineData("0400", "an integer of no bytes")]
    [InlineData("04020101", "an integer that does not fill its length")]
    [InlineData("040140", "an integer longer than its length")]
    [InlineData("04024001", "an integer not in its shortest form")]
    [InlineData("040101040101", "a parameter that comes twice")]
    [InlineData("0c000c00", "a flag that comes twice")]
    [InlineData("0c0101", "a flag with a value")]
    [InlineData("020f000102030405060708090a0b0c0d0e", "a reset token of 15 bytes")]
    [InlineData("0211000102030405060708090a0b0c0d0e0f10", "a reset token of 17 bytes")]
    [InlineData("030244af", "max_udp_payload_size of 1199")]
    [InlineData("0808d000000000000001", "initial_max_streams_bidi above 2^60")]
    [InlineData("0908d000000000000001", "initial_max_streams_uni above 2^60")]
    [InlineData("0a0115", "ack_delay_exponent of 21")]
    [InlineData("0b0480004000", "max_ack_delay of 2^14")]
    [InlineData("0e0101", "active_connection_id_limit of 1")]
    [InlineData("0015000102030405060708090a0b0c0d0e0f1011121314", "original_destination_connection_id of 21 bytes")]
    [InlineData("0f15000102030405060708090a0b0c0d0e0f1011121314", "initial_source_connection_id of 21 bytes")]
    [InlineData("1015000102030405060708090a0b0c0d0e0f1011121314", "retry_source_connection_id of 21 bytes")]
    [InlineData(
        "0d29" + "c000020101bb" + "20010db80000000000000000000000011f90" + "00" + "000102030405060708090a0b0c0d0e0f",
        "preferred address with an id of no bytes")]
    [InlineData(
        "0d29" + "c000020101bb" + "20010db80000000000000000000000011f90" + "0109" + "000102030405060708090a0b0c0d0e",
        "preferred address that is cut off")]
    [InlineData(
        "0d2b" + "c000020101bb" + "20010db80000000000000000000000011f90" + "0109" + "000102030405060708090a0b0c0d0e0fff",
        "preferred address with a byte too many")]
    [InlineData("3e08c000000100000000", "initial_max_path_id of 2^32")]
    [InlineData("3e024007", "initial_max_path_id not in its shortest form")]
    [InlineData("3e01073e0107", "initial_max_path_id that comes twice")]
    [InlineData("c0000000ff04de1b04800061a9", "min_ack_delay above max_ack_delay")]
    [InlineData("c0000000ff04de1b0243e8" + "0b0100", "min_ack_delay above a max_ack_delay that comes after it")]
    [InlineData("c0000000ff04de1b00", "min_ack_delay of no bytes")]
    [InlineData("c00000009f81a1760103", "an unknown role in address discovery")]
    [InlineData("c00000009f81a17600", "a role of no bytes")]
    [InlineData("c0003d7f911204010100", "NAT traversal with no addresses")]
    [InlineData("c0003d7f91120401024020", "NAT traversal with two bytes")]
    [InlineData("c0003d7f9112040100", "NAT traversal of no bytes")]
    public void What_breaks_a_rule_is_a_transport_parameter_error(string hex, string why)
    {
        Assert.False(
            TransportParameterReader.TryRead(Convert.FromHexString(hex), Side.Server, out _, out TransportError? error), why);
        Assert.Equal(TransportErrorCode.TransportParameterError, error.Code);
    }

    [Theory]
    [InlineData("030244b0", "max_udp_payload_size of 1200")]
    [InlineData("0808d000000000000000", "initial_max_streams_bidi of 2^60")]
    [InlineData("0a0114", "ack_delay_exponent of 20")]
    [InlineData("0b027fff", "max_ack_delay of 2^14-1")]
    [InlineData("0e0102", "active_connection_id_limit of 2")]
    [InlineData("0f14000102030405060708090a0b0c0d0e0f10111213", "initial_source_connection_id of 20 bytes")]
    [InlineData("3e08c0000000ffffffff", "initial_max_path_id of 2^32-1, which has eight bytes")]
    [InlineData("c0000000ff04de1b04800061a8", "min_ack_delay of max_ack_delay")]
    [InlineData("c0003d7f9112040101ff", "NAT traversal with 255 addresses, a byte that is no variable-length integer")]
    public void A_value_at_its_limit_is_accepted(string hex, string what)
    {
        Assert.True(TransportParameterReader.TryRead(Convert.FromHexString(hex), Side.Server, out _, out _), what);
    }

    [Theory]
    [InlineData("000401020304", "original_destination_connection_id")]
    [InlineData("0210000102030405060708090a0b0c0d0e0f", "stateless_reset_token")]
    [InlineData(
        "0d2a" + "c000020101bb" + "20010db80000000000000000000000011f90" + "0109" + "000102030405060708090a0b0c0d0e0f",
        "preferred_address")]
    [InlineData("100401020304", "retry_source_connection_id")]
    public void What_only_a_server_sends_is_refused_from_a_client(string hex, string name)
    {
        byte[] bytes = Convert.FromHexString(hex);
        Assert.True(TransportParameterReader.TryRead(bytes, Side.Server, out _, out _), name);
        Assert.False(TransportParameterReader.TryRead(bytes, Side.Client, out _, out TransportError? error), name);
        Assert.Equal(TransportErrorCode.TransportParameterError, error.Code);
    }

    [Fact]
    public void Parameters_survive_writing_and_reading()
    {
        const ulong Seed = 1;
        var random = new SeededRandomSource(Seed);
        for (int i = 0; i < 5_000; i++)
        {
            TransportParameterSet parameters = RandomSet(random);
            byte[] bytes = TransportParameterWriter.Write(parameters, random);
            Assert.True(
                TransportParameterReader.TryRead(bytes, Side.Server, out TransportParameterSet? read, out TransportError? error),
                $"seed {Seed}, round {i}: {error}");
            Assert.Equal(parameters, read);
        }
    }

    [Fact]
    public void Defaults_are_not_written_and_one_reserved_parameter_is()
    {
        var random = new SeededRandomSource(2);
        for (int i = 0; i < 1_000; i++)
        {
            byte[] bytes = TransportParameterWriter.Write(new TransportParameterSet(), random);
            var reader = new WireReader(bytes);
            Assert.True(reader.TryReadVarInt(out ulong id));
            Assert.Equal(27UL, id % 31);
            Assert.True(reader.TryReadVarIntPrefixed(out ReadOnlySpan<byte> value));
            Assert.True(value.Length < 16);
            Assert.Equal(0, reader.Remaining);
        }
    }

    [Fact]
    public void The_order_is_random_and_follows_from_the_seed()
    {
        var parameters = new TransportParameterSet { InitialMaxData = 1, InitialMaxStreamsBidirectional = 2, MaxDatagramFrameSize = 3 };
        var firstIds = new HashSet<ulong>();
        var random = new SeededRandomSource(3);
        for (int i = 0; i < 100; i++)
        {
            var reader = new WireReader(TransportParameterWriter.Write(parameters, random));
            Assert.True(reader.TryReadVarInt(out ulong id));
            firstIds.Add(id % 31 == 27 ? 27 : id);
        }

        Assert.Equal([4UL, 8UL, 27UL, 32UL], firstIds.Order());
        Assert.Equal(
            TransportParameterWriter.Write(parameters, new SeededRandomSource(4)),
            TransportParameterWriter.Write(parameters, new SeededRandomSource(4)));
    }

    [Fact]
    public void Whatever_can_be_read_is_equal_after_writing_and_reading_it_again()
    {
        const ulong Seed = 5;
        var random = new SeededRandomSource(Seed);
        int parsed = 0;
        for (int i = 0; i < 60_000; i++)
        {
            byte[] input = random.Mutate(TransportParameterWriter.Write(RandomSet(random), random));
            Side sender = random.NextBelow(4) == 0 ? Side.Client : Side.Server;
            if (!TransportParameterReader.TryRead(input, sender, out TransportParameterSet? parameters, out TransportError? error))
            {
                Assert.Equal(TransportErrorCode.TransportParameterError, error.Code);
                continue;
            }

            parsed++;
            byte[] again = TransportParameterWriter.Write(parameters, random);
            Assert.True(TransportParameterReader.TryRead(again, sender, out TransportParameterSet? second, out _));
            Assert.True(parameters == second, $"seed {Seed}, round {i}");
        }

        Assert.True(parsed > 6_000, $"seed {Seed}: only {parsed} inputs could be read");
    }

    // RFC 9000 §7.3, one case a sentence.
    [Fact]
    public void A_server_without_Retry_is_authenticated_by_two_ids()
    {
        var parameters = new TransportParameterSet { OriginalDestinationConnectionId = First, InitialSourceConnectionId = Second };
        Assert.Null(parameters.ValidateServerIds(First, Second, null));
        AssertError(parameters.ValidateServerIds(Second, Second, null));
        AssertError(parameters.ValidateServerIds(First, First, null));
        AssertError(parameters.ValidateServerIds(First, Second, Second));
        AssertError((parameters with { OriginalDestinationConnectionId = null }).ValidateServerIds(First, Second, null));
        AssertError((parameters with { InitialSourceConnectionId = null }).ValidateServerIds(First, Second, null));
        AssertError((parameters with { RetrySourceConnectionId = Second }).ValidateServerIds(First, Second, null));
    }

    [Fact]
    public void A_server_after_a_Retry_is_authenticated_by_three_ids()
    {
        var third = new ConnectionId([7]);
        var parameters = new TransportParameterSet
        {
            OriginalDestinationConnectionId = First,
            InitialSourceConnectionId = Second,
            RetrySourceConnectionId = third,
        };
        Assert.Null(parameters.ValidateServerIds(First, Second, third));
        AssertError(parameters.ValidateServerIds(First, Second, null));
        AssertError(parameters.ValidateServerIds(First, Second, First));
    }

    [Fact]
    public void A_client_is_authenticated_by_its_source_id()
    {
        var parameters = new TransportParameterSet { InitialSourceConnectionId = default(ConnectionId) };
        Assert.Null(parameters.ValidateClientIds(default));
        AssertError(parameters.ValidateClientIds(First));
        AssertError(new TransportParameterSet().ValidateClientIds(default));
    }

    private static void AssertError(TransportError? error) =>
        Assert.Equal(TransportErrorCode.TransportParameterError, error?.Code);

    private static TransportParameterSet Read(string hex, Side sender = Side.Server)
    {
        byte[] bytes = Convert.FromHexString(hex);
        bool read = TransportParameterReader.TryRead(bytes, sender, out TransportParameterSet? parameters, out TransportError? error);
        Assert.True(read, error?.Reason);
        return parameters!;
    }

    private static TransportParameterSet RandomSet(RandomSource random)
    {
        TransportParameterSet set = RandomIndependent(random);
        return set with { MinAckDelayMicroseconds = random.Coin() ? random.NextBelow(((ulong)set.MaxAckDelayMilliseconds * 1000) + 1) : null };
    }

    private static TransportParameterSet RandomIndependent(RandomSource random) => new()
    {
        OriginalDestinationConnectionId = random.Coin() ? random.Id() : null,
        MaxIdleTimeoutMilliseconds = random.Coin() ? random.VarIntValue() : 0,
        StatelessResetToken = random.Coin() ? new StatelessResetToken(random.Bytes(16)) : null,
        MaxUdpPayloadSize = random.Coin() ? 1200 + (random.VarIntValue() / 2) : 65527,
        InitialMaxData = random.VarIntValue(),
        InitialMaxStreamDataBidirectionalLocal = random.VarIntValue(),
        InitialMaxStreamDataBidirectionalRemote = random.VarIntValue(),
        InitialMaxStreamDataUnidirectional = random.VarIntValue(),
        InitialMaxStreamsBidirectional = random.VarIntValue() / 4,
        InitialMaxStreamsUnidirectional = random.VarIntValue() / 4,
        AckDelayExponent = (int)random.NextBelow(21),
        MaxAckDelayMilliseconds = (int)random.NextBelow(1 << 14),
        DisableActiveMigration = random.Coin(),
        PreferredAddress = random.Coin()
            ? new PreferredAddress(
                random.Coin() ? NetworkAddress.FromIPv4(random.Bytes(4), 443) : default,
                RandomIPv6(random),
                random.Id(1),
                new StatelessResetToken(random.Bytes(16)))
            : null,
        ActiveConnectionIdLimit = 2 + (random.VarIntValue() / 2),
        InitialSourceConnectionId = random.Coin() ? random.Id() : null,
        RetrySourceConnectionId = random.Coin() ? random.Id() : null,
        MaxDatagramFrameSize = random.VarIntValue(),
        InitialMaxPathId = random.Coin() ? new PathId((uint)(random.VarIntValue() >> 30)) : null,
        AddressReports = (AddressReports)random.NextBelow(4),
        NatTraversalAddressesMax = (byte)random.NextUInt64(),
        PortSearch = random.Coin(),
    };

    private static NetworkAddress RandomIPv6(RandomSource random) => random.NextBelow(3) switch
    {
        0 => default,
        1 => NetworkAddress.FromIPv6([.. new byte[10], 0xff, 0xff, .. random.Bytes(4)], 443),
        _ => NetworkAddress.FromIPv6(random.Bytes(16), 8443),
    };
}
