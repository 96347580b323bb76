using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Blixard.Containers.Archives;
using Blixard.Containers.Boot;
using Blixard.Containers.Ext4;
using Blixard.Containers.Images;
using Blixard.Containers.Layers;
using Blixard.Containers.Tree;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Containers;

/// <summary>What to make bootable, and how.</summary>
public sealed record ContainerImportRequest
{
    /// <summary>The container image.</summary>
    public required ContainerSource Source { get; init; }

    /// <summary>Which image of the archive (NAME:TAG); null = the only one.</summary>
    public string? Reference { get; init; }

    /// <summary>The kernel and what belongs to it.</summary>
    public required GuestFiles Guest { get; init; }

    /// <summary>An existing directory for the files that are made, and for the unpacked copy of an archive that is compressed as a whole;
    /// nothing else may write there.</summary>
    public required string OutputDirectory { get; init; }

    /// <summary>The size of the disk in bytes, rounded up to MiB; null = what the files need and a quarter, at least 64 MiB, to write.</summary>
    public long? DiskBytes { get; init; }

    /// <summary>Takes the place of the image's command (not of its entry point); null = it stays.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>Further environment, NAME=VALUE.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];
}

/// <summary>
/// Makes a container image bootable: its layers become one ext4 disk, and an initial RAM file system runs its program. Nothing is extracted
/// onto this machine, no privileges are needed, and the same image and guest give the same bytes.
/// </summary>
public static class ContainerImport
{
    // Directories that are mounted on, or written to, when the machine starts.
    private static readonly (string Name, int Mode)[] s_directories = [("dev", 0x1ED), ("proc", 0x16D), ("sys", 0x16D), ("etc", 0x1ED), ("tmp", 0x3FF)];

    /// <summary>Does it, on a thread of the pool.</summary>
    /// <param name="request">What.</param>
    /// <param name="progress">Told every few MiB; null = nobody is. Called on the working thread.</param>
    /// <param name="cancellationToken">Ends it; files that were begun stay in the output directory.</param>
    /// <exception cref="ContainerImageException">The image is refused; the message says why and where.</exception>
    /// <exception cref="IOException">A file cannot be read, or there is no room.</exception>
    public static Task<BootableImage> RunAsync(ContainerImportRequest request, IProgress<ImportProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Task.Run(() => Run(request, progress, cancellationToken), cancellationToken);
    }

    private static BootableImage Run(ContainerImportRequest request, IProgress<ImportProgress>? progress, CancellationToken cancellationToken)
    {
        using ImageArchive archive = Open(request, progress, cancellationToken);
        ContainerImage image = Find(archive, request);
        var layers = new LayerReader(archive, image, progress);
        RootTree tree = layers.Flatten(cancellationToken);
        ContainerProgram program = ContainerProgram.Create(image.Configuration, tree, layers.AccountFiles, request.Command, request.Environment);
        AddDirectories(tree);
        Ext4Plan plan = Ext4Plan.Create(tree, request.DiskBytes);

        string initramfs = Path.Combine(request.OutputDirectory, "initramfs.cpio.gz"), disk = Path.Combine(request.OutputDirectory, "root.ext4");
        using (FileStream file = File.Create(initramfs))
            Initramfs.Write(file, program, request.Guest);
        using (SafeFileHandle file = File.OpenHandle(disk, FileMode.Create, FileAccess.ReadWrite))
        {
            var writer = new Ext4Writer(plan, file);
            writer.WriteStructure(IdentityOf(image), cancellationToken);
            Dictionary<ContentPlace, Ext4Inode> wanted = plan.Inodes.Where(static inode => inode.Node.Content is not null)
                .ToDictionary(static inode => inode.Node.Content!.Value);
            layers.CopyContent(wanted, writer.WriteContent, cancellationToken);
        }

        return new BootableImage
        {
            InitramfsPath = initramfs,
            DiskPath = disk,
            DiskBytes = plan.Geometry.BlockCount * Ext4Geometry.BlockLength,
            FileCount = plan.Inodes.Count,
            LayerCount = image.Layers.Count,
            Reference = image.Reference,
            Digest = image.ConfigurationDigest.ToString(),
            Labels = image.Configuration.Labels,
            Command = string.Join(' ', program.Arguments.Select(ByteText.Show)),
            User = $"{program.Account.UserId}:{program.Account.GroupId}",
        };
    }

    private static ImageArchive Open(ContainerImportRequest request, IProgress<ImportProgress>? progress, CancellationToken cancellationToken)
    {
        string path = request.Source.Path;
        if (request.Source.Kind == ContainerSourceKind.OciDirectory)
        {
            return Directory.Exists(path)
                ? new DirectoryArchive(path) { Description = path }
                : throw ContainerImageException.NotFound($"the directory {path} does not exist");
        }

        if (!File.Exists(path))
            throw ContainerImageException.NotFound($"the file {path} does not exist");
        return TarArchive.Open(Unpacked(path, request.OutputDirectory, progress, cancellationToken), path);
    }

    // An archive that is compressed as a whole has to be unpacked first: layers are read from the middle of it.
    private static string Unpacked(string path, string directory, IProgress<ImportProgress>? progress, CancellationToken cancellationToken)
    {
        using FileStream packed = File.OpenRead(path);
        byte[] buffer = new byte[256 << 10];
        int start = packed.ReadAtLeast(buffer.AsSpan(0, 2), 2, throwOnEndOfStream: false);
        if (start < 2 || buffer[0] != 0x1F || buffer[1] != 0x8B)
            return path;
        packed.Position = 0;
        string unpacked = Path.Combine(directory, "archive.tar");
        using var content = new GZipStream(packed, CompressionMode.Decompress);
        using FileStream target = File.Create(unpacked);
        try
        {
            for (int count; (count = content.Read(buffer)) > 0;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                target.Write(buffer, 0, count);
                if (target.Length > ContainerLimits.LayerBytesMax)
                    throw ContainerImageException.TooLarge($"{path} has more than {ContainerLimits.LayerBytesMax} bytes uncompressed");
                progress?.Report(new ImportProgress("unpacking the archive", packed.Position, packed.Length));
            }
        }
        catch (InvalidDataException e)
        {
            throw ContainerImageException.Malformed($"{path} is a damaged gzip file: {e.Message}", e);
        }

        return unpacked;
    }

    private static ContainerImage Find(ImageArchive archive, ContainerImportRequest request)
    {
        bool isDocker = Has(DockerArchive.ManifestName), isLayout = Has(OciLayout.LayoutName);
        if (request.Source.Kind == ContainerSourceKind.DockerArchive && isDocker)
            return DockerArchive.Find(archive, request.Reference);
        if (isLayout)
            return OciLayout.Find(archive, request.Reference);
        throw ContainerImageException.NotFound(isDocker
            ? $"{archive.Description} is the output of docker save and no OCI layout: say docker-archive:"
            : $"{archive.Description} is no container image: it has neither {DockerArchive.ManifestName} nor {OciLayout.LayoutName}");

        bool Has(string name)
        {
            bool has = archive.TryOpen(name, out Stream? stream);
            stream?.Dispose();
            return has;
        }
    }

    private static void AddDirectories(RootTree tree)
    {
        foreach ((string name, int mode) in s_directories)
        {
            // A link there would lead the mounts elsewhere.
            if (!tree.Root.Children.TryGetValue(name, out TreeEntry entry) || entry.Node.Kind != NodeKind.Directory)
                tree.Root.Children[name] = new TreeEntry(new TreeNode(NodeKind.Directory) { Mode = mode }, int.MaxValue);
        }
    }

    // The same image has the same UUID: version 8 of RFC 9562, made of the image's digest.
    private static byte[] IdentityOf(ContainerImage image)
    {
        byte[] identity = SHA256.HashData(Encoding.ASCII.GetBytes($"blixard container disk {image.ConfigurationDigest}"))[..16];
        identity[6] = (byte)((identity[6] & 0x0F) | 0x80);
        identity[8] = (byte)((identity[8] & 0x3F) | 0x80);
        return identity;
    }
}
