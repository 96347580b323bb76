using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Blixard.Cluster.Links;

/// <summary>
/// What both ends of a link say first on its control stream:
/// marker 0xB1 (1 byte, no frame of calls begins with it), version 1 (1 byte), length of the name (1 byte), instance (8 bytes,
/// big-endian), name (UTF-8).
/// </summary>
/// <param name="Instance">The random number that the process chose when it started.</param>
/// <param name="Name">The node's name, for people; 0 to <see cref="NameLengthMax"/> bytes.</param>
internal sealed record LinkHello(ulong Instance, string Name)
{
    /// <summary>The first byte.</summary>
    public const byte Marker = 0xB1;

    /// <summary>The version of what travels on a link.</summary>
    public const byte Version = 1;

    /// <summary>Length of all but the name.</summary>
    public const int HeaderLength = 11;

    /// <summary>The longest name in bytes: that of a member.</summary>
    public const int NameLengthMax = 63;

    /// <summary>The bytes.</summary>
    public byte[] Encode()
    {
        byte[] name = Encoding.UTF8.GetBytes(Name);
        if (name.Length > NameLengthMax)
            throw new InvalidOperationException($"A name has at most {NameLengthMax} bytes.");
        byte[] bytes = new byte[HeaderLength + name.Length];
        (bytes[0], bytes[1], bytes[2]) = (Marker, Version, (byte)name.Length);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(3), Instance);
        name.CopyTo(bytes, HeaderLength);
        return bytes;
    }

    /// <summary>Looks at the header: how long the name is, or what is wrong.</summary>
    /// <param name="header">At least <see cref="HeaderLength"/> bytes.</param>
    /// <param name="nameLength">The length of the name that follows.</param>
    /// <param name="problem">What is wrong, in words.</param>
    public static bool TryReadHeader(ReadOnlySpan<byte> header, out int nameLength, [NotNullWhen(false)] out string? problem)
    {
        nameLength = 0;
        problem = null;
        if (header.Length < HeaderLength || header[0] != Marker)
            problem = "a link begins with a hello";
        else if (header[1] != Version)
            problem = $"the hello has version {header[1]}; this node speaks version {Version}";
        else if (header[2] > NameLengthMax)
            problem = $"the hello's name has {header[2]} bytes; at most {NameLengthMax} are allowed";
        else
            nameLength = header[2];
        return problem is null;
    }

    /// <summary>Reads a whole hello, or says what is wrong.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out LinkHello? hello, [NotNullWhen(false)] out string? problem)
    {
        hello = null;
        if (!TryReadHeader(bytes, out int nameLength, out problem))
            return false;
        if (bytes.Length != HeaderLength + nameLength)
        {
            problem = "the hello is cut off";
            return false;
        }

        hello = new LinkHello(BinaryPrimitives.ReadUInt64BigEndian(bytes[3..]), Encoding.UTF8.GetString(bytes[HeaderLength..]));
        return true;
    }

    /// <summary>Reads a hello from a stream.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="isMarkerRead">Whether the first byte has been taken from it already, and was the marker.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="InvalidDataException">It is no hello; the message says what is wrong.</exception>
    public static async Task<LinkHello> ReadAsync(Stream stream, bool isMarkerRead, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[HeaderLength + NameLengthMax];
        int start = isMarkerRead ? 1 : 0;
        bytes[0] = isMarkerRead ? Marker : (byte)0;
        int length = start + await stream.ReadAtLeastAsync(bytes.AsMemory(start, HeaderLength - start), HeaderLength - start, false, cancellationToken)
            .ConfigureAwait(false);
        if (!TryReadHeader(bytes.AsSpan(0, length), out int nameLength, out string? problem))
            throw new InvalidDataException(problem);
        length += await stream.ReadAtLeastAsync(bytes.AsMemory(HeaderLength, nameLength), nameLength, false, cancellationToken).ConfigureAwait(false);
        return TryRead(bytes.AsSpan(0, length), out LinkHello? hello, out problem) ? hello : throw new InvalidDataException(problem);
    }
}
