using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Blixard.Rpc.Calls;
using Google.Protobuf;

namespace Blixard.Rpc.Grpc;

/// <summary>What both sides of gRPC over HTTP/2 write and read (docs/protocols/grpc.md; PROTOCOL-HTTP2.md of the gRPC project).</summary>
internal static class GrpcWire
{
    public const string ContentType = "application/grpc";
    public const string StatusTrailer = "grpc-status";
    public const string MessageTrailer = "grpc-message";
    public const string TimeoutHeader = "grpc-timeout";
    public const string EncodingHeader = "grpc-encoding";
    public const string AcceptEncodingHeader = "grpc-accept-encoding";

    /// <summary>Our own trailer: the details of <see cref="RpcException"/>, base64. (<c>grpc-status-details-bin</c> would promise
    /// a google.rpc.Status.)</summary>
    public const string DetailsTrailer = "blixard-error-details-bin";

    /// <summary>Compressed flag (1 byte) and length (u32, big-endian) before each message.</summary>
    public const int PrefixLength = 5;

    /// <summary>True for "application/grpc", "application/grpc+proto" and these with parameters; not for grpc-web.</summary>
    public static bool IsGrpc(string? contentType)
    {
        if (contentType is null || !contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase))
            return false;
        ReadOnlySpan<char> rest = contentType.AsSpan(ContentType.Length);
        return rest.IsEmpty || rest[0] == ';' || rest.Equals("+proto", StringComparison.OrdinalIgnoreCase)
            || rest.StartsWith("+proto;", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Reads <c>grpc-timeout</c>: 1 to 8 digits and a unit.</summary>
    public static bool TryReadTimeout(string text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > 9
            || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long count))
            return false;
        // In 100 ns steps; 8 digits of hours do not fit a TimeSpan and mean "none" anyway.
        decimal ticks = count * text[^1] switch
        {
            'H' => TimeSpan.TicksPerHour,
            'M' => TimeSpan.TicksPerMinute,
            'S' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'u' => TimeSpan.TicksPerMicrosecond,
            'n' => 0.01m,
            _ => -1m,
        };
        if (ticks < 0)
            return false;
        timeout = ticks >= TimeSpan.MaxValue.Ticks ? TimeSpan.MaxValue : new TimeSpan((long)Math.Ceiling(ticks));
        return true;
    }

    /// <summary>Writes <c>grpc-timeout</c> in the finest unit that 8 digits hold, rounded up.</summary>
    public static string WriteTimeout(TimeSpan timeout)
    {
        const long CountMax = 99_999_999;
        long ticks = Math.Max(timeout.Ticks, 1);
        foreach ((long unit, char letter) in ((long, char)[])[
            (TimeSpan.TicksPerMicrosecond, 'u'), (TimeSpan.TicksPerMillisecond, 'm'), (TimeSpan.TicksPerSecond, 'S'), (TimeSpan.TicksPerMinute, 'M')])
        {
            long count = (ticks / unit) + (ticks % unit == 0 ? 0 : 1);
            if (count <= CountMax)
                return string.Create(CultureInfo.InvariantCulture, $"{count}{letter}");
        }
        return string.Create(CultureInfo.InvariantCulture, $"{Math.Min(CountMax, ticks / TimeSpan.TicksPerHour)}H");
    }

    /// <summary>Percent-encodes <c>grpc-message</c>: all bytes of UTF-8 but 0x20..0x7E without '%'.</summary>
    public static string EncodeMessage(string message)
    {
        var text = new StringBuilder(message.Length);
        foreach (byte b in Encoding.UTF8.GetBytes(message))
        {
            if (b is >= 0x20 and <= 0x7E and not (byte)'%')
                text.Append((char)b);
            else
                text.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }
        return text.ToString();
    }

    /// <summary>Undoes <see cref="EncodeMessage"/>. What is not well encoded stays as it is, as the specification asks.</summary>
    public static string DecodeMessage(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal))
            return text;
        byte[] source = Encoding.UTF8.GetBytes(text);
        byte[] bytes = new byte[source.Length];
        int count = 0;
        for (int i = 0; i < source.Length; i++)
        {
            if (source[i] == '%' && i + 2 < source.Length
                && byte.TryParse(source.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte b))
            {
                bytes[count++] = b;
                i += 2;
            }
            else
            {
                bytes[count++] = source[i];
            }
        }
        return Encoding.UTF8.GetString(bytes, 0, count);
    }

    /// <summary>A metadata entry as a header value: text as it is, bytes in base64.</summary>
    public static string ToHeaderValue(string key, ReadOnlyMemory<byte> value) => RpcMetadata.IsBinary(key)
        ? Convert.ToBase64String(value.Span).TrimEnd('=')
        : Encoding.ASCII.GetString(value.Span);

    /// <summary>Adds a header value to metadata; several binary values may be joined with commas. False when it is not allowed.</summary>
    public static bool TryAddHeader(RpcMetadata metadata, string key, string value)
    {
        if (!RpcMetadata.IsBinary(key))
            return metadata.TryAdd(key, Encoding.UTF8.GetBytes(value));
        foreach (string part in value.Split(','))
            if (!TryReadBase64(part.Trim(), out byte[] bytes) || !metadata.TryAdd(key, bytes))
                return false;
        return true;
    }

    /// <summary>Reads base64 with or without padding, as the specification asks.</summary>
    public static bool TryReadBase64(string text, out byte[] bytes)
    {
        string padded = text.TrimEnd('=');
        padded = padded.PadRight(padded.Length + ((4 - (padded.Length % 4)) % 4), '=');
        byte[] room = new byte[padded.Length / 4 * 3];
        bool read = Convert.TryFromBase64String(padded, room, out int length);
        bytes = read ? room[..length] : [];
        return read;
    }

    /// <summary>Writes a message with its prefix; the caller flushes.</summary>
    public static void WriteMessage(IBufferWriter<byte> writer, IMessage message, int length)
    {
        Span<byte> room = writer.GetSpan(PrefixLength + length)[..(PrefixLength + length)];
        WritePrefixed(room, message, length);
        writer.Advance(room.Length);
    }

    /// <summary>Writes a message with its prefix in one write and flushes.</summary>
    public static async ValueTask WriteMessageAsync(Stream stream, IMessage message, int length, CancellationToken cancellationToken)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(PrefixLength + length);
        try
        {
            WritePrefixed(bytes.AsSpan(0, PrefixLength + length), message, length);
            await stream.WriteAsync(bytes.AsMemory(0, PrefixLength + length), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private static void WritePrefixed(Span<byte> room, IMessage message, int length)
    {
        room[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(room[1..], (uint)length);
        message.WriteTo(room[PrefixLength..]);
    }
}

/// <summary>Reads length-prefixed messages from a stream. Not thread-safe; does not own the stream.</summary>
internal sealed class GrpcMessageReader(Stream stream) : IDisposable
{
    private readonly byte[] _prefix = new byte[GrpcWire.PrefixLength];
    private readonly RpcMessageBuffer _message = new();

    /// <summary>The next message, valid until the next read; null at the end of the stream.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED: too long. INTERNAL: compressed without an agreed encoding, a flag that
    /// is neither 0 nor 1, or the stream ended within the message.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(RpcFailureStage stage, CancellationToken cancellationToken)
    {
        int count = await stream.ReadAtLeastAsync(_prefix, _prefix.Length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        if (count == 0)
            return null;
        if (count < _prefix.Length)
            throw new RpcException(RpcStatusCode.Internal, "the stream ended within a message's prefix", stage);
        if (_prefix[0] != 0)
            throw new RpcException(RpcStatusCode.Internal, "a message is marked as compressed; no encoding was agreed", stage);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(_prefix.AsSpan(1));
        if (length > RpcLimits.MessageLengthMax)
            throw new RpcException(RpcStatusCode.ResourceExhausted, $"a message has {length} bytes; at most {RpcLimits.MessageLengthMax} are taken", stage);
        ReadOnlyMemory<byte> message = await _message.ReadAsync(stream, (int)length, cancellationToken).ConfigureAwait(false);
        return message.Length == length
            ? message
            : throw new RpcException(RpcStatusCode.Internal, "the stream ended within a message", stage);
    }

    public void Dispose() => _message.Dispose();
}
