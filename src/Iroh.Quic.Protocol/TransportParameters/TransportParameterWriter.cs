using Iroh.Cryptography;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;
using Id = Iroh.Quic.Protocol.TransportParameters.TransportParameterId;

namespace Iroh.Quic.Protocol.TransportParameters;

/// <summary>Writes transport parameters (RFC 9000 §18).</summary>
internal static class TransportParameterWriter
{
    private const int ReservedValueLengthLimit = 16;

    /// <summary>All integers 120 bytes, three ids 66, token 18, preferred address 63, the reserved one 24, the extensions 50; nothing else can be written.</summary>
    private const int LengthMax = 512;

    /// <summary>
    /// The content of the quic_transport_parameters extension: the parameters that differ from their defaults and a reserved
    /// one (RFC 9000 §18.1), in random order so that nobody comes to rely on one.
    /// </summary>
    public static byte[] Write(TransportParameterSet parameters, RandomSource random)
    {
        Span<ulong> ids = stackalloc ulong[Id.Known.Length + 1];
        int count = 0;
        foreach (ulong id in Id.Known)
        {
            if (IsPresent(parameters, id))
                ids[count++] = id;
        }

        ids[count++] = Id.Reserved(random.NextBelow(Id.ReservedCount));
        for (int i = count - 1; i > 0; i--)
        {
            int other = (int)random.NextBelow((ulong)i + 1);
            (ids[i], ids[other]) = (ids[other], ids[i]);
        }

        var writer = new WireWriter(new byte[LengthMax]);
        foreach (ulong id in ids[..count])
        {
            writer.WriteVarInt(id);
            if (Id.IndexOf(id) >= 0)
                WriteValue(ref writer, parameters, id);
            else
                WriteReserved(ref writer, random);
        }

        return writer.Written.ToArray();
    }

    private static bool IsPresent(TransportParameterSet parameters, ulong id) => id switch
    {
        Id.OriginalDestinationConnectionId => parameters.OriginalDestinationConnectionId is not null,
        Id.StatelessResetToken => parameters.StatelessResetToken is not null,
        Id.DisableActiveMigration => parameters.DisableActiveMigration,
        Id.PreferredAddress => parameters.PreferredAddress is not null,
        Id.InitialSourceConnectionId => parameters.InitialSourceConnectionId is not null,
        Id.RetrySourceConnectionId => parameters.RetrySourceConnectionId is not null,
        Id.InitialMaxPathId => parameters.InitialMaxPathId is not null,
        Id.MinAckDelay => parameters.MinAckDelayMicroseconds is not null,
        Id.AddressReports => parameters.AddressReports != AddressReports.None,
        Id.NatTraversal => parameters.NatTraversalAddressesMax != 0,
        Id.PortSearch => parameters.PortSearch,
        _ => Id.IsInteger(id) && IntegerOf(parameters, id) != Id.DefaultOf(id),
    };

    private static ulong IntegerOf(TransportParameterSet parameters, ulong id) => id switch
    {
        Id.MaxIdleTimeout => parameters.MaxIdleTimeoutMilliseconds,
        Id.MaxUdpPayloadSize => parameters.MaxUdpPayloadSize,
        Id.InitialMaxData => parameters.InitialMaxData,
        Id.InitialMaxStreamDataBidirectionalLocal => parameters.InitialMaxStreamDataBidirectionalLocal,
        Id.InitialMaxStreamDataBidirectionalRemote => parameters.InitialMaxStreamDataBidirectionalRemote,
        Id.InitialMaxStreamDataUnidirectional => parameters.InitialMaxStreamDataUnidirectional,
        Id.InitialMaxStreamsBidirectional => parameters.InitialMaxStreamsBidirectional,
        Id.InitialMaxStreamsUnidirectional => parameters.InitialMaxStreamsUnidirectional,
        Id.AckDelayExponent => (ulong)parameters.AckDelayExponent,
        Id.MaxAckDelay => (ulong)parameters.MaxAckDelayMilliseconds,
        Id.ActiveConnectionIdLimit => parameters.ActiveConnectionIdLimit,
        Id.MaxDatagramFrameSize => parameters.MaxDatagramFrameSize,
        Id.InitialMaxPathId => parameters.InitialMaxPathId.GetValueOrDefault().Value,
        Id.MinAckDelay => parameters.MinAckDelayMicroseconds.GetValueOrDefault(),
        _ => (ulong)parameters.AddressReports - 1, // 0 provides, 1 receives, 2 both
    };

    private static void WriteValue(ref WireWriter writer, TransportParameterSet parameters, ulong id)
    {
        switch (id)
        {
            case Id.OriginalDestinationConnectionId:
                WriteId(ref writer, parameters.OriginalDestinationConnectionId);
                break;
            case Id.InitialSourceConnectionId:
                WriteId(ref writer, parameters.InitialSourceConnectionId);
                break;
            case Id.RetrySourceConnectionId:
                WriteId(ref writer, parameters.RetrySourceConnectionId);
                break;
            case Id.StatelessResetToken:
                writer.WriteVarInt(StatelessResetToken.Length);
                parameters.StatelessResetToken.GetValueOrDefault().CopyTo(writer.Rest);
                writer.Advance(StatelessResetToken.Length);
                break;
            case Id.DisableActiveMigration or Id.PortSearch:
                writer.WriteVarInt(0);
                break;
            case Id.PreferredAddress:
                writer.WriteVarInt((ulong)parameters.PreferredAddress!.EncodedLength);
                parameters.PreferredAddress.Write(ref writer);
                break;
            case Id.NatTraversal:
                writer.WriteVarInt(1);
                writer.WriteByte(parameters.NatTraversalAddressesMax);
                break;
            default:
                ulong value = IntegerOf(parameters, id);
                writer.WriteVarInt((ulong)VarInt.Length(value));
                writer.WriteVarInt(value);
                break;
        }
    }

    private static void WriteId(ref WireWriter writer, ConnectionId? id)
    {
        ConnectionId value = id.GetValueOrDefault();
        writer.WriteVarIntPrefixed(value.Span);
    }

    private static void WriteReserved(ref WireWriter writer, RandomSource random)
    {
        Span<byte> value = stackalloc byte[ReservedValueLengthLimit];
        value = value[..(int)random.NextBelow(ReservedValueLengthLimit)];
        random.Fill(value);
        writer.WriteVarIntPrefixed(value);
    }
}
