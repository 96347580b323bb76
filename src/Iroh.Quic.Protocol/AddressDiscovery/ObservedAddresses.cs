using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.AddressDiscovery;

/// <summary>
/// Address discovery of a connection (draft-seemann-quic-address-discovery, with sequence numbers): each end tells the other where it sees
/// its datagrams come from, once a path and again when that changes.
/// </summary>
internal sealed class ObservedAddresses
{
    private readonly AddressReports _local;
    private readonly ConnectionEvents _events;
    private AddressReports _peer;
    private ulong _nextSequence;

    public ObservedAddresses(AddressReports local, ConnectionEvents events)
    {
        _local = local;
        _events = events;
    }

    private bool IsProviding => (_local & AddressReports.Provide) != 0 && (_peer & AddressReports.Receive) != 0;

    private bool IsReceiving => (_local & AddressReports.Receive) != 0 && (_peer & AddressReports.Provide) != 0;

    /// <summary>The peer's part is known.</summary>
    public void OnPeerParameters(AddressReports peer) => _peer = peer;

    /// <summary>Whether the peer has to be told the address at which it is seen on a path.</summary>
    public bool IsReportOwed(PathObservations path, NetworkAddress remote) =>
        IsProviding && path.IsReportOwed(remote) && AddressRules.IsReachable(remote);

    /// <summary>The report that is owed on a path; it counts as sent once <see cref="OnReportSent"/> was told.</summary>
    public bool TryGetReport(PathObservations path, NetworkAddress remote, out ObservedAddressFrame frame)
    {
        frame = new ObservedAddressFrame(_nextSequence, remote);
        return IsReportOwed(path, remote);
    }

    /// <summary>A report was written on a path.</summary>
    public void OnReportSent(PathObservations path, in ObservedAddressFrame frame)
    {
        path.OnReportSent(frame);
        _nextSequence++;
    }

    /// <summary>OBSERVED_ADDRESS arrived on a path.</summary>
    /// <returns>PROTOCOL_VIOLATION if the ends did not agree on reports in this direction.</returns>
    public TransportError? OnReport(PathId id, PathObservations path, in ObservedAddressFrame frame)
    {
        if (!IsReceiving)
        {
            ulong type = frame.Address.IsIPv4 ? FrameType.ObservedAddressIPv4 : FrameType.ObservedAddressIPv6;
            return new TransportError(TransportErrorCode.ProtocolViolation, type, "OBSERVED_ADDRESS was not negotiated.");
        }

        if (path.OnReport(frame))
            _events.Add(new ConnectionEvent(ConnectionEventKind.ObservedAddress, PathId: id, Address: frame.Address));
        return null;
    }
}
