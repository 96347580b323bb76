namespace Blixard.Containers.Archives;

/// <summary>What a tar entry stands for.</summary>
internal enum TarEntryKind
{
    File,
    HardLink,
    SymbolicLink,
    CharacterDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// <summary>The header of a tar entry with its extensions applied. Texts are <see cref="ByteText"/>.</summary>
internal sealed record TarEntry
{
    public required string Path { get; init; }

    public required TarEntryKind Kind { get; init; }

    /// <summary>Bytes of content that follow; 0 unless it is a file.</summary>
    public required long Size { get; init; }

    /// <summary>The target of a link; empty for all else.</summary>
    public string LinkTarget { get; init; } = "";

    /// <summary>Permissions, set-user-id, set-group-id and sticky bits: 0 to 07777.</summary>
    public int Mode { get; init; }

    public uint UserId { get; init; }

    public uint GroupId { get; init; }

    /// <summary>Seconds since 1970.</summary>
    public long ModifiedSeconds { get; init; }

    /// <summary>0 to 999,999,999.</summary>
    public int ModifiedNanoseconds { get; init; }

    /// <summary>The capabilities of a program file (xattr security.capability); empty = none.</summary>
    public ReadOnlyMemory<byte> Capabilities { get; init; }
}
