namespace Iroh.Quic.Protocol.Streams;

/// <summary>How a stream answers a command of the application.</summary>
public enum StreamStatus
{
    /// <summary>Done.</summary>
    Ok,

    /// <summary>Not now (or not all of it): an event follows when trying again makes sense.</summary>
    Blocked,

    /// <summary>Read only: all data was read and the peer ended the stream. Reported once; the receiving half is gone afterwards.</summary>
    Finished,

    /// <summary>Write and finish only: the peer asked to stop sending (RFC 9000 §3.5); Code says why.</summary>
    Stopped,

    /// <summary>Read only: the peer gave the stream up (RFC 9000 §19.4); Code says why. Reported once; the receiving half is gone afterwards.</summary>
    Reset,

    /// <summary>There is no such half of a stream, or it was already ended or given up from here.</summary>
    Closed,
}

/// <summary>What became of a write.</summary>
/// <param name="Accepted">How many bytes, from the front, were taken into the send buffer.</param>
/// <param name="Status">
/// <see cref="StreamStatus.Ok"/>: all of them. <see cref="StreamStatus.Blocked"/>: only <paramref name="Accepted"/>, and a writable
/// event follows. <see cref="StreamStatus.Stopped"/> or <see cref="StreamStatus.Closed"/>: none, ever again.
/// </param>
/// <param name="Code">The application error code of <see cref="StreamStatus.Stopped"/>.</param>
public readonly record struct StreamWrite(int Accepted, StreamStatus Status, ulong Code = 0);

/// <summary>What became of a read.</summary>
/// <param name="Count">How many bytes were copied; above 0 only with <see cref="StreamStatus.Ok"/>.</param>
/// <param name="Status">
/// <see cref="StreamStatus.Ok"/>: <paramref name="Count"/> bytes, and there may be more. <see cref="StreamStatus.Blocked"/>: nothing
/// yet, and a readable event follows. <see cref="StreamStatus.Finished"/>, <see cref="StreamStatus.Reset"/> or
/// <see cref="StreamStatus.Closed"/>: nothing, ever again.
/// </param>
/// <param name="Code">The application error code of <see cref="StreamStatus.Reset"/>.</param>
public readonly record struct StreamRead(int Count, StreamStatus Status, ulong Code = 0);
