using System.Buffers.Binary;

namespace Blixard.Etcd.Process;

/// <summary>A record of etcd's write-ahead log.</summary>
/// <param name="Offset">Where its frame begins in the file.</param>
/// <param name="Type">Its type, as in walpb's Record: 1 metadata, 2 entry, 3 hard state, 4 checksum, 5 snapshot.</param>
internal readonly record struct WalRecord(int Offset, byte Type);

/// <summary>
/// Reads the beginning of a write-ahead log: frames of 8 bytes (length in the low 56 bits; if the highest bit is set, the three below say
/// how many bytes of padding follow) and a record in protobuf, whose first field is its type; zeros follow the last. Pure.
/// </summary>
internal static class WalHead
{
    /// <summary>How much of the file is looked at; a log that was only just made has some 200 bytes.</summary>
    public const int BytesMax = 64 * 1024;

    /// <summary>The type of the record without which nothing has ever been committed.</summary>
    public const byte HardState = 3;

    private const int FrameLength = 8;
    private const byte TypeTag = 0x08;

    /// <summary>The records up to the end of the log.</summary>
    /// <returns>False if the end is not among the given bytes, or they are no log.</returns>
    public static bool TryRead(ReadOnlySpan<byte> log, out IReadOnlyList<WalRecord> records)
    {
        var read = new List<WalRecord>();
        records = read;
        int offset = 0;
        while (log.Length - offset >= FrameLength)
        {
            ulong frame = BinaryPrimitives.ReadUInt64LittleEndian(log[offset..]);
            if (frame == 0)
                return true;
            ulong length = frame & 0x00ff_ffff_ffff_ffff;
            int padding = frame >> 63 == 0 ? 0 : (int)(frame >> 56) & 7;
            ReadOnlySpan<byte> rest = log[(offset + FrameLength)..];
            if (length < 2 || length + (ulong)padding > (ulong)rest.Length || rest[0] != TypeTag)
                return false;
            read.Add(new WalRecord(offset, rest[1]));
            offset += FrameLength + (int)length + padding;
        }

        return false;
    }
}
