namespace Iroh.Tls.HandshakeMessages;

/// <summary>Goes through the extensions of one message (RFC 8446 §4.2).</summary>
internal ref struct ExtensionReader
{
    // Real clients send up to about twenty. The limit keeps the search for duplicates short.
    private const int ExtensionsMax = 64;

    private TlsReader _reader;

    private ExtensionReader(ReadOnlySpan<byte> block) => _reader = new TlsReader(block);

    /// <summary>
    /// Checks that the block consists of whole extensions and that no type comes twice, then starts at the first.
    /// </summary>
    /// <param name="block">The content of the extensions vector.</param>
    /// <param name="extensions">Valid if the result is null.</param>
    internal static TlsFailure? Open(ReadOnlySpan<byte> block, out ExtensionReader extensions)
    {
        extensions = new ExtensionReader(block);
        ExtensionReader ahead = extensions;
        Span<ushort> seen = stackalloc ushort[ExtensionsMax];
        int count = 0;
        while (ahead.TryReadNext(out ushort type, out _))
        {
            if (seen[..count].Contains(type))
                return new TlsFailure(TlsAlert.IllegalParameter, $"extension {type} comes twice");
            if (count == ExtensionsMax)
                return new TlsFailure(TlsAlert.DecodeError, $"more than {ExtensionsMax} extensions");
            seen[count++] = type;
        }

        return ahead._reader.IsEmpty ? null : new TlsFailure(TlsAlert.DecodeError, "the extensions end within one");
    }

    /// <summary>The next extension; false at the end.</summary>
    internal bool TryReadNext(out ushort type, out ReadOnlySpan<byte> data)
    {
        TlsReader attempt = _reader;
        data = default;
        if (!attempt.TryReadUInt16(out type) || !attempt.TryReadVector16(out data))
            return false;
        _reader = attempt;
        return true;
    }

    /// <summary>Whether the last extension has been read.</summary>
    internal readonly bool IsAtEnd => _reader.IsEmpty;
}
