using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Connections;

/// <content>The data of the application: commands for streams and datagrams.</content>
public sealed partial class Connection
{
    /// <summary>Opens a stream. False at the peer's limit; <see cref="ConnectionEventKind.StreamsAvailable"/> follows when it moves.</summary>
    public bool TryOpenStream(StreamDirection direction, out StreamId id)
    {
        id = default;
        return _state.IsOpen && _streams.TryOpenStream(direction, out id);
    }

    /// <summary>Takes the peer's next stream in the order of ids. False if there is none; <see cref="ConnectionEventKind.StreamOpened"/> follows.</summary>
    public bool TryAcceptStream(StreamDirection direction, out StreamId id) => _streams.TryAcceptStream(direction, out id);

    /// <summary>Writes to a stream.</summary>
    /// <param name="id">The stream.</param>
    /// <param name="data">Copied; the caller's again on return.</param>
    public StreamWrite Write(StreamId id, ReadOnlySpan<byte> data) =>
        _state.IsOpen ? _streams.Write(id, data) : new StreamWrite(0, StreamStatus.Closed);

    /// <summary>Ends a stream after what was written: Ok, Stopped, or Closed if it was ended or given up before.</summary>
    public StreamStatus Finish(StreamId id) => _state.IsOpen ? _streams.Finish(id) : StreamStatus.Closed;

    /// <summary>Gives the sending half of a stream up (RESET_STREAM).</summary>
    /// <param name="id">The stream.</param>
    /// <param name="code">The application's reason, at most 2^62-1.</param>
    public StreamStatus Reset(StreamId id, ulong code) => _state.IsOpen ? _streams.Reset(id, code) : StreamStatus.Closed;

    /// <summary>Gives the receiving half of a stream up (STOP_SENDING).</summary>
    /// <param name="id">The stream.</param>
    /// <param name="code">The application's reason, at most 2^62-1.</param>
    public StreamStatus StopSending(StreamId id, ulong code) => _state.IsOpen ? _streams.StopSending(id, code) : StreamStatus.Closed;

    /// <summary>Reads from a stream; also after the connection has ended, as long as there is data.</summary>
    public StreamRead Read(StreamId id, Span<byte> destination) => _streams.Read(id, destination);

    /// <summary>Queues a datagram (RFC 9221), at most <see cref="MaxDatagramSize"/> bytes. It may get lost.</summary>
    public DatagramSend SendDatagram(ReadOnlySpan<byte> data) =>
        _state.IsOpen ? _datagrams.Send(data, SmallestPacketSpace()) : DatagramSend.Unsupported;

    /// <summary>Copies the oldest received datagram out. False if there is none, or if it does not fit: <paramref name="length"/> tells which.</summary>
    public bool TryReceiveDatagram(Span<byte> destination, out int length)
    {
        bool received = _datagrams.TryReceive(destination, out length);
        if (!received && length == 0)
            _events.AwaitDatagram();
        return received;
    }
}
