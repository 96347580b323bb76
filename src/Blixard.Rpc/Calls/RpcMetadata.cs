using System.Collections;
using System.Text;

namespace Blixard.Rpc.Calls;

/// <summary>What travels beside a request: keys with values, in order, keys possibly several times. Not thread-safe while it
/// is filled.</summary>
public sealed class RpcMetadata : IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>>
{
    /// <summary>How many entries there may be: as many as a caller could sensibly want, and few enough to look through.</summary>
    public const int EntriesMax = 64;

    /// <summary>Bytes of all keys and values together: what HTTP/2 peers accept for a header block without asking (8 KiB).</summary>
    public const int SizeBytesMax = 8192;

    private const int KeyLengthMax = 128;
    private readonly List<KeyValuePair<string, ReadOnlyMemory<byte>>> _entries = [];
    private int _sizeBytes;

    /// <summary>Nothing. Shared: adding to it is refused.</summary>
    public static RpcMetadata Empty { get; } = new() { _sizeBytes = SizeBytesMax };

    /// <summary>How many entries there are.</summary>
    public int Count => _entries.Count;

    /// <summary>Adds a text.</summary>
    /// <param name="key">1..128 characters of a-z, 0-9, '-', '_' and '.', not ending in "-bin", not beginning with "grpc-".</param>
    /// <param name="value">Printable ASCII.</param>
    /// <exception cref="ArgumentException">Key, value or size is not allowed.</exception>
    public void Add(string key, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (IsBinary(key) || !TryAdd(key, Encoding.UTF8.GetBytes(value)))
            throw new ArgumentException($"metadata '{key}' is not allowed (name, characters or size)", nameof(key));
    }

    /// <summary>Adds bytes.</summary>
    /// <param name="key">As in <see cref="Add"/>, but ending in "-bin".</param>
    /// <param name="value">Any bytes; kept, not copied.</param>
    /// <exception cref="ArgumentException">Key or size is not allowed.</exception>
    public void AddBinary(string key, ReadOnlyMemory<byte> value)
    {
        if (!IsBinary(key) || !TryAdd(key, value))
            throw new ArgumentException($"metadata '{key}' is not allowed (name or size)", nameof(key));
    }

    /// <summary>The first text with a key; null when there is none.</summary>
    public string? Get(string key)
    {
        foreach (KeyValuePair<string, ReadOnlyMemory<byte>> entry in _entries)
            if (entry.Key == key)
                return Encoding.ASCII.GetString(entry.Value.Span);
        return null;
    }

    /// <summary>The first bytes with a key; null when there are none.</summary>
    public ReadOnlyMemory<byte>? GetBinary(string key)
    {
        foreach (KeyValuePair<string, ReadOnlyMemory<byte>> entry in _entries)
            if (entry.Key == key)
                return entry.Value;
        return null;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, ReadOnlyMemory<byte>>> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Adds what came from the wire; false when it is not allowed.</summary>
    internal bool TryAdd(string key, ReadOnlyMemory<byte> value)
    {
        int size = key.Length + value.Length;
        if (_entries.Count >= EntriesMax || size > SizeBytesMax - _sizeBytes || !IsKey(key))
            return false;
        if (!IsBinary(key) && value.Span.IndexOfAnyExceptInRange((byte)0x20, (byte)0x7E) >= 0)
            return false;
        _entries.Add(new(key, value));
        _sizeBytes += size;
        return true;
    }

    internal static bool IsBinary(string key) => key.EndsWith("-bin", StringComparison.Ordinal);

    private static bool IsKey(string key)
    {
        if (key.Length is 0 or > KeyLengthMax || key.StartsWith("grpc-", StringComparison.Ordinal))
            return false;
        foreach (char c in key)
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '_' or '.'))
                return false;
        return true;
    }
}
