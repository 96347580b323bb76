namespace Blixard.Containers;

/// <summary>What is accepted at most. Each number is far above what real images need and keeps memory or disk bounded.</summary>
public static class ContainerLimits
{
    /// <summary>Layers of an image: Docker's storage drivers end at 127.</summary>
    public const int LayersMax = 128;

    /// <summary>Entries of all layers together: a full desktop has 300,000 files, and each takes about 300 bytes of memory here.</summary>
    public const int EntriesMax = 1_000_000;

    /// <summary>Bytes of all layers together, uncompressed (32 GiB): the largest images people publish have about 25. A compressed bomb
    /// ends here, and before that its zeros take no room on the disk.</summary>
    public const long LayerBytesMax = 32L << 30;

    /// <summary>The longest path in bytes (PATH_MAX of Linux, less the final zero).</summary>
    public const int PathLengthMax = 4095;

    /// <summary>The longest name of a file in bytes (NAME_MAX of Linux, and what ext4 stores).</summary>
    public const int NameLengthMax = 255;

    /// <summary>Directories inside each other: walks are recursive here and in many programs; real trees have fewer than 50.</summary>
    public const int DepthMax = 1024;

    /// <summary>Symbolic links on the way to one file (MAXSYMLINKS of Linux).</summary>
    public const int SymbolicLinksMax = 40;

    /// <summary>Names of one file (EXT4_LINK_MAX).</summary>
    public const int HardLinksMax = 65_000;

    /// <summary>A manifest, an index or a configuration (4 MiB, the limit of registries).</summary>
    public const int JsonLengthMax = 4 << 20;

    /// <summary>Files of an archive around the layers: each layer is up to three in old archives of <c>docker save</c>, and an archive
    /// may hold several images.</summary>
    public const int ArchiveEntriesMax = 100_000;

    /// <summary>Extended headers of one tar entry (1 MiB): a path, a link and some attributes.</summary>
    public const int TarExtensionLengthMax = 1 << 20;

    /// <summary>Indexes inside indexes: the layout has one, and tools that build for many platforms put one into it.</summary>
    public const int IndexDepthMax = 4;

    /// <summary>The largest disk (256 GiB): what an image's part may have.</summary>
    public const long DiskBytesMax = 256L << 30;

    /// <summary>Arguments and environment of the program together (128 KiB, MAX_ARG_STRLEN of Linux for one of them).</summary>
    public const int CommandLengthMax = 128 << 10;
}
