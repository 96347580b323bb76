using System.Diagnostics.CodeAnalysis;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;
using Id = Iroh.Quic.Protocol.TransportParameters.TransportParameterId;

namespace Iroh.Quic.Protocol.TransportParameters;

/// <summary>Reads transport parameters (RFC 9000 §18).</summary>
internal ref struct TransportParameterReader
{
    private const ulong MaxUdpPayloadSizeMin = 1200;
    private const ulong AckDelayExponentMax = 20;
    private const ulong MaxAckDelayLimit = 1 << 14;
    private const ulong StreamsMax = 1UL << 60;

    private readonly Span<ulong> _integers;
    private ConnectionId? _originalDestinationId;
    private ConnectionId? _initialSourceId;
    private ConnectionId? _retrySourceId;
    private StatelessResetToken? _resetToken;
    private PreferredAddress? _preferredAddress;
    private bool _disableActiveMigration;
    private PathId? _initialMaxPathId;
    private ulong? _minAckDelay;
    private AddressReports _addressReports;
    private byte _natTraversalAddressesMax;
    private bool _portSearch;

    private TransportParameterReader(Span<ulong> integers)
    {
        _integers = integers;
        for (int i = 0; i < integers.Length; i++)
            integers[i] = Id.DefaultOf(Id.Known[i]);
    }

    /// <summary>
    /// Reads all parameters of one end. Strict, as the peers we meet are: an integer fills its length exactly and is in its
    /// shortest form, and no known parameter comes twice. Unknown ones are ignored, however often they come.
    /// </summary>
    /// <param name="bytes">The content of the quic_transport_parameters extension.</param>
    /// <param name="sender">Who sent them; some are a server's only.</param>
    /// <param name="parameters">All of them, with defaults for those that were absent.</param>
    /// <param name="error">TRANSPORT_PARAMETER_ERROR with the id in its reason.</param>
    public static bool TryRead(
        ReadOnlySpan<byte> bytes,
        Side sender,
        [NotNullWhen(true)] out TransportParameterSet? parameters,
        [NotNullWhen(false)] out TransportError? error)
    {
        parameters = null;
        var draft = new TransportParameterReader(stackalloc ulong[Id.Known.Length]);
        ulong seen = 0;
        var reader = new WireReader(bytes);
        while (reader.Remaining > 0)
        {
            if (!reader.TryReadVarInt(out ulong id) || !reader.TryReadVarIntPrefixed(out ReadOnlySpan<byte> value))
            {
                error = new TransportError(TransportErrorCode.TransportParameterError, "The transport parameters are cut off.");
                return false;
            }

            int index = Id.IndexOf(id);
            if (index < 0)
                continue; // RFC 9000 §7.4.2: MUST be ignored.
            ulong bit = 1UL << index;
            string? problem = (seen & bit) != 0 ? "comes twice"
                : sender == Side.Client && Id.IsServerOnly(id) ? "is a server's only"
                : draft.TryTake(id, value) ? null
                : "has a forbidden value";
            if (problem is not null)
            {
                error = new TransportError(TransportErrorCode.TransportParameterError, $"Transport parameter 0x{id:x} {problem}.");
                return false;
            }

            seen |= bit;
        }

        // draft-ietf-quic-ack-frequency-07 §3: MUST be a TRANSPORT_PARAMETER_ERROR. Only here are both values known.
        if (draft._minAckDelay > draft.Integer(Id.MaxAckDelay) * 1000)
        {
            error = new TransportError(TransportErrorCode.TransportParameterError, "min_ack_delay is above max_ack_delay.");
            return false;
        }

        parameters = draft.Complete();
        error = null;
        return true;
    }

    private bool TryTake(ulong id, ReadOnlySpan<byte> value) => id switch
    {
        Id.OriginalDestinationConnectionId => TryTakeId(value, out _originalDestinationId),
        Id.InitialSourceConnectionId => TryTakeId(value, out _initialSourceId),
        Id.RetrySourceConnectionId => TryTakeId(value, out _retrySourceId),
        Id.StatelessResetToken => TryTakeToken(value),
        Id.DisableActiveMigration => (_disableActiveMigration = true) && value.IsEmpty,
        Id.PreferredAddress => (_preferredAddress = PreferredAddress.Read(value)) is not null,
        Id.InitialMaxPathId => TryTakePathId(value),
        Id.MinAckDelay => TryReadInteger(value, out ulong delay) && (_minAckDelay = delay) is not null,
        Id.AddressReports => TryTakeAddressReports(value),
        Id.NatTraversal => TryTakeNatTraversal(value),
        Id.PortSearch => (_portSearch = true) && value.IsEmpty,
        _ => TryTakeInteger(id, value),
    };

    private readonly ulong Integer(ulong id) => _integers[Id.IndexOf(id)];

    // Strict: the value is filled, in the shortest form.
    private static bool TryReadInteger(ReadOnlySpan<byte> value, out ulong integer)
    {
        var reader = new WireReader(value);
        return reader.TryReadVarInt(out integer) && reader.Remaining == 0 && value.Length == VarInt.Length(integer);
    }

    private readonly bool TryTakeInteger(ulong id, ReadOnlySpan<byte> value)
    {
        if (!TryReadInteger(value, out ulong integer))
            return false;
        _integers[Id.IndexOf(id)] = integer;
        // RFC 9000 §18.2, each where the parameter is defined.
        return id switch
        {
            Id.MaxUdpPayloadSize => integer >= MaxUdpPayloadSizeMin,
            Id.InitialMaxStreamsBidirectional or Id.InitialMaxStreamsUnidirectional => integer <= StreamsMax,
            Id.AckDelayExponent => integer <= AckDelayExponentMax,
            Id.MaxAckDelay => integer < MaxAckDelayLimit,
            Id.ActiveConnectionIdLimit => integer >= TransportParameterSet.DefaultActiveConnectionIdLimit,
            _ => true,
        };
    }

    private bool TryTakePathId(ReadOnlySpan<byte> value)
    {
        if (!TryReadInteger(value, out ulong id) || id > uint.MaxValue)
            return false;
        _initialMaxPathId = new PathId((uint)id);
        return true;
    }

    // On the wire 0 means to provide, 1 to receive, 2 both; none is told by absence.
    private bool TryTakeAddressReports(ReadOnlySpan<byte> value)
    {
        if (!TryReadInteger(value, out ulong role) || role > 2)
            return false;
        _addressReports = (AddressReports)(role + 1);
        return true;
    }

    // One byte as it is, not a variable-length integer; 0 would be the same as absence and is refused.
    private bool TryTakeNatTraversal(ReadOnlySpan<byte> value)
    {
        if (value.Length != 1 || value[0] == 0)
            return false;
        _natTraversalAddressesMax = value[0];
        return true;
    }

    private bool TryTakeToken(ReadOnlySpan<byte> value)
    {
        if (value.Length != StatelessResetToken.Length)
            return false;
        _resetToken = new StatelessResetToken(value);
        return true;
    }

    private static bool TryTakeId(ReadOnlySpan<byte> value, out ConnectionId? id)
    {
        bool fits = value.Length <= ConnectionId.MaxLength;
        id = fits ? new ConnectionId(value) : null;
        return fits;
    }

    private readonly TransportParameterSet Complete() => new()
    {
        OriginalDestinationConnectionId = _originalDestinationId,
        MaxIdleTimeoutMilliseconds = Integer(Id.MaxIdleTimeout),
        StatelessResetToken = _resetToken,
        MaxUdpPayloadSize = Integer(Id.MaxUdpPayloadSize),
        InitialMaxData = Integer(Id.InitialMaxData),
        InitialMaxStreamDataBidirectionalLocal = Integer(Id.InitialMaxStreamDataBidirectionalLocal),
        InitialMaxStreamDataBidirectionalRemote = Integer(Id.InitialMaxStreamDataBidirectionalRemote),
        InitialMaxStreamDataUnidirectional = Integer(Id.InitialMaxStreamDataUnidirectional),
        InitialMaxStreamsBidirectional = Integer(Id.InitialMaxStreamsBidirectional),
        InitialMaxStreamsUnidirectional = Integer(Id.InitialMaxStreamsUnidirectional),
        AckDelayExponent = (int)Integer(Id.AckDelayExponent),
        MaxAckDelayMilliseconds = (int)Integer(Id.MaxAckDelay),
        DisableActiveMigration = _disableActiveMigration,
        PreferredAddress = _preferredAddress,
        ActiveConnectionIdLimit = Integer(Id.ActiveConnectionIdLimit),
        InitialSourceConnectionId = _initialSourceId,
        RetrySourceConnectionId = _retrySourceId,
        MaxDatagramFrameSize = Integer(Id.MaxDatagramFrameSize),
        InitialMaxPathId = _initialMaxPathId,
        MinAckDelayMicroseconds = _minAckDelay,
        AddressReports = _addressReports,
        NatTraversalAddressesMax = _natTraversalAddressesMax,
        PortSearch = _portSearch,
    };
}
