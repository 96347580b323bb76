using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;
using Iroh.Quic.Protocol.TransportParameters;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>Turns a configuration into what this end declares (RFC 9000 §18.2), and what both ends declared into stream limits.</summary>
internal static class LocalParameters
{
    /// <summary>The transport parameters of a new connection.</summary>
    public static TransportParameterSet Of(ConnectionSetup setup)
    {
        ConnectionConfiguration configuration = setup.Configuration;
        bool isServer = setup.Side == Side.Server;
        return new TransportParameterSet
        {
            OriginalDestinationConnectionId = isServer ? setup.IdBeforeRetry ?? setup.OriginalDestinationId : null,
            RetrySourceConnectionId = setup.IdBeforeRetry is null ? null : setup.OriginalDestinationId,
            StatelessResetToken = isServer ? setup.Reset.TokenOf(setup.LocalId) : null,
            InitialSourceConnectionId = setup.LocalId,
            MaxIdleTimeoutMilliseconds = (ulong)configuration.MaxIdleTimeout.TotalMilliseconds,
            MaxUdpPayloadSize = (ulong)configuration.MaxUdpPayloadSize,
            InitialMaxData = configuration.ConnectionReceiveWindow,
            InitialMaxStreamDataBidirectionalLocal = configuration.StreamReceiveWindow,
            InitialMaxStreamDataBidirectionalRemote = configuration.StreamReceiveWindow,
            InitialMaxStreamDataUnidirectional = configuration.StreamReceiveWindow,
            InitialMaxStreamsBidirectional = configuration.BidirectionalStreamsMax,
            InitialMaxStreamsUnidirectional = configuration.UnidirectionalStreamsMax,
            MaxAckDelayMilliseconds = (int)AckScheduler.MaxAckDelay.TotalMilliseconds,
            ActiveConnectionIdLimit = (ulong)configuration.ActiveConnectionIdLimit,
            InitialMaxPathId = configuration.ConcurrentPathsMax > 1 ? new PathId((uint)configuration.ConcurrentPathsMax - 1) : null,
            MaxDatagramFrameSize = (ulong)configuration.MaxDatagramFrameSize,
            AddressReports = configuration.AddressReports,
            NatTraversalAddressesMax = configuration.ConcurrentPathsMax > 1 ? (byte)configuration.NatTraversalAddressesMax : (byte)0,
            PortSearch = configuration is { ConcurrentPathsMax: > 1, NatTraversalAddressesMax: > 0, SearchesPorts: true },
        };
    }

    /// <summary>The limits in a set of parameters that concern streams.</summary>
    public static StreamLimits StreamLimitsOf(TransportParameterSet parameters) => new(
        parameters.InitialMaxData,
        parameters.InitialMaxStreamDataBidirectionalLocal,
        parameters.InitialMaxStreamDataBidirectionalRemote,
        parameters.InitialMaxStreamDataUnidirectional,
        parameters.InitialMaxStreamsBidirectional,
        parameters.InitialMaxStreamsUnidirectional);

    /// <summary>How the streams of a new connection behave.</summary>
    public static StreamConfiguration StreamsOf(ConnectionSetup setup) => new()
    {
        Local = StreamLimitsOf(Of(setup)),
        StreamSendWindow = setup.Configuration.StreamSendWindow,
        SendWindow = setup.Configuration.SendWindow,
    };
}
