using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>
/// Fails when the server sends to an address more than three times what it has received from there, unless the address was validated
/// (RFC 9000 §8.1, §9.3.1). Probes of NAT traversal, which go to addresses of an authenticated peer's naming, are paid for by what it has
/// sent from anywhere.
/// </summary>
public sealed class AmplificationChecker
{
    /// <summary>A packet with nothing but PATH_CHALLENGE: flags, id, packet number, frame, tag. There is no shorter one to an address not validated.</summary>
    private const int ProbeLengthMax = 1 + 8 + 4 + 9 + 16;

    private readonly Dictionary<NetworkAddress, (long Received, long Sent)> _bytes = [];
    private readonly HashSet<NetworkAddress> _validated = [];
    private long _received, _probed;

    public AmplificationChecker(SimulatedNetwork network, SimulatedEndpoint server, RecordingTrace serverTrace)
    {
        network.Delivered += datagram =>
        {
            if (server.Addresses.Contains(datagram.Destination))
                Count(datagram.Source, datagram.Payload.Length, 0);
        };
        server.Sending += (transmit, bytes) =>
        {
            NetworkAddress to = transmit.Path.Remote;
            if (bytes.Length <= ProbeLengthMax && !_validated.Contains(to))
            {
                _probed += bytes.Length;
                Assert.True(_probed <= 3 * _received, $"{_probed} bytes of probes for {_received} bytes of the peer's.");
                return;
            }

            var (received, sent) = Count(to, 0, bytes.Length);
            if (!_validated.Contains(to))
                Assert.True(sent <= 3 * received, $"{sent} bytes sent to {to}, which is not validated and sent {received}.");
        };
        serverTrace.OnValidated += address => _validated.Add(address.Remote);
    }

    private (long Received, long Sent) Count(NetworkAddress address, int received, int sent)
    {
        _received += received;
        var (r, s) = _bytes.GetValueOrDefault(address);
        return _bytes[address] = (r + received, s + sent);
    }
}
