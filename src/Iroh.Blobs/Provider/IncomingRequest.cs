using System.Collections.Immutable;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Transfer.Receiving;

namespace Iroh.Blobs.Provider;

/// <summary>A request as it came from the wire.</summary>
/// <param name="Type">What is asked.</param>
/// <param name="Hashes">The blob; all of them for <see cref="BlobRequestType.GetMany"/>.</param>
/// <param name="Ranges">Of which blobs what; for an observer, of no meaning.</param>
internal sealed record IncomingRequest(BlobRequestType Type, ImmutableArray<BlobHash> Hashes, ChunkRangesSequence Ranges)
{
    /// <summary>What is read of a request at once.</summary>
    private const int StepLength = 4 * 1024;

    /// <summary>The kind as the provider's owner knows it.</summary>
    public BlobRequestKind Kind => Type switch
    {
        BlobRequestType.Get => BlobRequestKind.Get,
        BlobRequestType.GetMany => BlobRequestKind.GetMany,
        BlobRequestType.Observe => BlobRequestKind.Observe,
        _ => BlobRequestKind.Push,
    };

    /// <summary>Whether children of the one blob are meant.</summary>
    public bool IsHashSequence => Type is BlobRequestType.Get or BlobRequestType.Push && !Ranges.IsSingleBlob;

    /// <summary>Reads a request to its end; of a push, all before the content.</summary>
    /// <returns>Null if it is none, or too long.</returns>
    public static async ValueTask<IncomingRequest?> ReadAsync(ResponseReader input)
    {
        if (!await input.FillAsync(1).ConfigureAwait(false))
            return null;
        var type = (BlobRequestType)input.Take(1).Span[0];
        byte[]? body = type switch
        {
            BlobRequestType.Get or BlobRequestType.GetMany or BlobRequestType.Observe => await ReadToEndAsync(input).ConfigureAwait(false),
            BlobRequestType.Push => await FrameReader.ReadAsync(input).ConfigureAwait(false),
            _ => null,
        };
        return body is null ? null : Parse(type, body);
    }

    /// <summary>Reads what follows the type byte and, of a push, the length.</summary>
    /// <returns>Null if it is malformed.</returns>
    internal static IncomingRequest? Parse(BlobRequestType type, ReadOnlySpan<byte> body)
    {
        switch (type)
        {
            case BlobRequestType.Get when GetRequest.TryRead(body, out GetRequest? get):
                return new IncomingRequest(type, [get.Hash], get.Ranges);
            case BlobRequestType.GetMany when GetManyRequest.TryRead(body, out GetManyRequest? many):
                return new IncomingRequest(type, many.Hashes, many.Ranges);
            case BlobRequestType.Observe when ObserveRequest.TryRead(body, out ObserveRequest? observe):
                return new IncomingRequest(type, [observe.Hash], ChunkRangesSequence.Empty);
            case BlobRequestType.Push when PushRequest.TryRead(body, out PushRequest? push):
                return new IncomingRequest(type, [push.Hash], push.Ranges);
            default:
                return null;
        }
    }

    private static async ValueTask<byte[]?> ReadToEndAsync(ResponseReader input)
    {
        var body = new MemoryStream();
        while (await input.FillAsync(1).ConfigureAwait(false))
        {
            body.Write(input.Take(Math.Min(input.Available, StepLength)).Span);
            if (body.Length > BlobProtocol.RequestLengthMax)
                return null;
        }

        return body.ToArray();
    }
}
