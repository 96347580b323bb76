using System.Diagnostics.CodeAnalysis;
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

    private TransportParameterReader(Span<ulong> integers)
    {
        _integers = integers;
        for (ulong id = 0; id < Id.KnownLimit; id++)
            integers[(int)id] = Id.DefaultOf(id);
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
        var draft = new TransportParameterReader(stackalloc ulong[Id.KnownLimit]);
        ulong seen = 0;
        var reader = new WireReader(bytes);
        while (reader.Remaining > 0)
        {
            if (!reader.TryReadVarInt(out ulong id) || !reader.TryReadVarIntPrefixed(out ReadOnlySpan<byte> value))
            {
                error = new TransportError(TransportErrorCode.TransportParameterError, "The transport parameters are cut off.");
                return false;
            }

            if (!Id.IsKnown(id))
                continue; // RFC 9000 §7.4.2: MUST be ignored.
            ulong bit = 1UL << (int)id;
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
        _ => TryTakeInteger(id, value),
    };

    private readonly bool TryTakeInteger(ulong id, ReadOnlySpan<byte> value)
    {
        var reader = new WireReader(value);
        if (!reader.TryReadVarInt(out ulong integer) || reader.Remaining != 0 || value.Length != VarInt.Length(integer))
            return false;
        _integers[(int)id] = integer;
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
        MaxIdleTimeoutMilliseconds = _integers[(int)Id.MaxIdleTimeout],
        StatelessResetToken = _resetToken,
        MaxUdpPayloadSize = _integers[(int)Id.MaxUdpPayloadSize],
        InitialMaxData = _integers[(int)Id.InitialMaxData],
        InitialMaxStreamDataBidirectionalLocal = _integers[(int)Id.InitialMaxStreamDataBidirectionalLocal],
        InitialMaxStreamDataBidirectionalRemote = _integers[(int)Id.InitialMaxStreamDataBidirectionalRemote],
        InitialMaxStreamDataUnidirectional = _integers[(int)Id.InitialMaxStreamDataUnidirectional],
        InitialMaxStreamsBidirectional = _integers[(int)Id.InitialMaxStreamsBidirectional],
        InitialMaxStreamsUnidirectional = _integers[(int)Id.InitialMaxStreamsUnidirectional],
        AckDelayExponent = (int)_integers[(int)Id.AckDelayExponent],
        MaxAckDelayMilliseconds = (int)_integers[(int)Id.MaxAckDelay],
        DisableActiveMigration = _disableActiveMigration,
        PreferredAddress = _preferredAddress,
        ActiveConnectionIdLimit = _integers[(int)Id.ActiveConnectionIdLimit],
        InitialSourceConnectionId = _initialSourceId,
        RetrySourceConnectionId = _retrySourceId,
        MaxDatagramFrameSize = _integers[(int)Id.MaxDatagramFrameSize],
    };
}
