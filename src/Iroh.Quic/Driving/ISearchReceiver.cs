using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Driving;

/// <summary>Gets what arrives on <see cref="SearchSockets"/>. May be called by any thread.</summary>
internal interface ISearchReceiver
{
    /// <summary>Datagrams have arrived. They are overwritten.</summary>
    /// <param name="path">Where they came from and to.</param>
    /// <param name="ecn">The marking that they came with.</param>
    /// <param name="payload">One datagram or several of equal length, the last may be shorter.</param>
    /// <param name="segmentSize">That length.</param>
    void HandleDatagrams(FourTuple path, EcnCodepoint ecn, Span<byte> payload, int segmentSize);

    /// <summary>Sends what is owed now.</summary>
    void Flush();
}
