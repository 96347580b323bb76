using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Endpoint;

/// <summary>
/// A client's attempt to connect whose first packet has authenticated as an Initial (which anybody can make). The owner of the endpoint
/// hands it to <see cref="EndpointCore.Accept"/>, <see cref="EndpointCore.Refuse"/> or <see cref="EndpointCore.Ignore"/>, once. Until
/// then further datagrams of the attempt are kept here.
/// </summary>
public sealed class Incoming
{
    /// <summary>
    /// Datagrams kept while the decision is open. A client's first flight is one or two datagrams and is repeated after a second or so;
    /// what does not fit will come again.
    /// </summary>
    internal const int DatagramsMax = 4;

    private bool _isDecided;
    private readonly List<(FourTuple Path, EcnCodepoint Ecn, byte[] Datagram)> _datagrams = [];

    internal Incoming(FourTuple path, ConnectionId originalDestinationId, ConnectionId clientId, ConnectionId? idBeforeRetry)
    {
        IdBeforeRetry = idBeforeRetry;
        Path = path;
        OriginalDestinationId = originalDestinationId;
        ClientId = clientId;
    }

    /// <summary>Where the first datagram came from. Unless <see cref="IsAddressValidated"/>, the address may be forged.</summary>
    public FourTuple Path { get; }

    /// <summary>Whether the client has shown by the token of a Retry that it receives at its address.</summary>
    public bool IsAddressValidated => IdBeforeRetry is not null;

    /// <summary>The destination connection id of the client's first Initial (after a Retry), which its later copies share.</summary>
    internal ConnectionId OriginalDestinationId { get; }

    /// <summary>That of the Initial which was answered with a Retry; null if none was.</summary>
    internal ConnectionId? IdBeforeRetry { get; }

    /// <summary>The client's source connection id.</summary>
    internal ConnectionId ClientId { get; }

    internal IReadOnlyList<(FourTuple Path, EcnCodepoint Ecn, byte[] Datagram)> Datagrams => _datagrams;

    internal void Decide()
    {
        if (_isDecided)
            throw new InvalidOperationException("An incoming connection is accepted, refused or ignored once.");
        _isDecided = true;
    }

    internal void Keep(FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> datagram)
    {
        if (_datagrams.Count < DatagramsMax)
            _datagrams.Add((path, ecn, datagram.ToArray()));
    }
}
