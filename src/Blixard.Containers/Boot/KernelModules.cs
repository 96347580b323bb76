using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Blixard.Containers.Boot;

/// <summary>A module of a kernel.</summary>
/// <param name="Name">Its name, with underscores.</param>
/// <param name="Content">The file that is loaded.</param>
internal sealed record KernelModule(string Name, byte[] Content);

/// <summary>Finds a kernel's modules and what they need below a directory. What a module needs stands in the module itself, so a directory
/// without <c>modules.dep</c>, as packages bring it, will do.</summary>
internal static class KernelModules
{
    // Virtio network cards, the largest here, have 100 KiB.
    private const long ModuleLengthMax = 16 << 20;

    private const string Suffix = ".ko";

    /// <summary>The modules that are wanted and those that they need, in the order in which they can be loaded.</summary>
    /// <param name="directory">Holds <c>NAME.ko</c> files, at any depth, and <c>modules.builtin</c> if it is known what the kernel has itself.</param>
    /// <param name="wanted">Names; what is built into the kernel needs no file.</param>
    /// <param name="kernelVersion">The kernel's version, which each module must name.</param>
    /// <exception cref="ContainerImageException">A module is missing, compressed, damaged or of another kernel.</exception>
    public static IReadOnlyList<KernelModule> Collect(string directory, IEnumerable<string> wanted, string kernelVersion)
    {
        if (!Directory.Exists(directory))
            throw ContainerImageException.NotFound($"the directory of the kernel's modules, {directory}, does not exist");
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string file in Directory.EnumerateFiles(directory, "*.ko*", SearchOption.AllDirectories))
        {
            string name = Path.GetFileName(file);
            files[Underscored(name[..name.IndexOf(Suffix, StringComparison.Ordinal)])] = file;
        }

        HashSet<string> builtIn = ReadBuiltIn(directory);
        var ordered = new List<KernelModule>();
        var begun = new HashSet<string>(StringComparer.Ordinal);
        foreach (string name in wanted)
            Add(name);
        return ordered;

        void Add(string name)
        {
            if (!begun.Add(name) || builtIn.Contains(name))
                return;
            if (!files.TryGetValue(name, out string? file))
                throw ContainerImageException.NotFound($"the kernel's module {name} is not below {directory}");
            byte[] content = ReadModule(file, kernelVersion, out IReadOnlyList<string> needed);
            foreach (string other in needed)
                Add(other);
            ordered.Add(new KernelModule(name, content));
        }
    }

    private static HashSet<string> ReadBuiltIn(string directory)
    {
        string? list = Directory.EnumerateFiles(directory, "modules.builtin", SearchOption.AllDirectories).FirstOrDefault();
        return list is null
            ? []
            : [.. File.ReadLines(list).Select(static line => Underscored(Path.GetFileNameWithoutExtension(line)))];
    }

    private static byte[] ReadModule(string file, string kernelVersion, out IReadOnlyList<string> needed)
    {
        if (!file.EndsWith(Suffix, StringComparison.Ordinal))
            throw ContainerImageException.Unsupported($"the module {file} is compressed; unpack it first");
        if (new FileInfo(file).Length > ModuleLengthMax)
            throw ContainerImageException.TooLarge($"the module {file} has more than {ModuleLengthMax} bytes");
        byte[] content = File.ReadAllBytes(file);
        if (!TryReadInformation(content, out Dictionary<string, string>? information))
            throw ContainerImageException.Malformed($"{file} is no module of a Linux kernel");
        string version = information.GetValueOrDefault("vermagic", "").Split(' ')[0];
        if (version != kernelVersion)
            throw ContainerImageException.Unsupported($"{file} is a module of the kernel '{version}', and the kernel is '{kernelVersion}'");
        needed = [.. information.GetValueOrDefault("depends", "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Underscored)];
        return content;
    }

    /// <summary>Reads the section <c>.modinfo</c> of an ELF file: KEY=VALUE, each ended by a zero byte.</summary>
    internal static bool TryReadInformation(ReadOnlySpan<byte> elf, [NotNullWhen(true)] out Dictionary<string, string>? information)
    {
        information = null;
        const int HeaderLength = 64, SectionLength = 64;
        if (elf.Length < HeaderLength || !elf.StartsWith("\u007fELF\u0002\u0001"u8))
            return false;
        ulong sections = BinaryPrimitives.ReadUInt64LittleEndian(elf[0x28..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3C..]), names = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3E..]);
        if (!TrySlice(elf, sections, (ulong)count * SectionLength, out ReadOnlySpan<byte> table) || names >= count || !TryContent(elf, table, names, out ReadOnlySpan<byte> texts))
            return false;
        for (int i = 0; i < count; i++)
        {
            uint name = BinaryPrimitives.ReadUInt32LittleEndian(table[(i * SectionLength)..]);
            if (name >= texts.Length || !texts[(int)name..].StartsWith(".modinfo\0"u8) || !TryContent(elf, table, i, out ReadOnlySpan<byte> content))
                continue;
            information = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (string pair in Encoding.Latin1.GetString(content).Split('\0'))
                if (pair.IndexOf('=', StringComparison.Ordinal) is > 0 and int equals)
                    information[pair[..equals]] = pair[(equals + 1)..];
            return true;
        }

        return false;

        static bool TryContent(ReadOnlySpan<byte> elf, ReadOnlySpan<byte> table, int index, out ReadOnlySpan<byte> content) => TrySlice(
            elf, BinaryPrimitives.ReadUInt64LittleEndian(table[((index * SectionLength) + 0x18)..]),
            BinaryPrimitives.ReadUInt64LittleEndian(table[((index * SectionLength) + 0x20)..]), out content);

        static bool TrySlice(ReadOnlySpan<byte> elf, ulong offset, ulong length, out ReadOnlySpan<byte> slice)
        {
            bool isInside = offset <= (ulong)elf.Length && length <= (ulong)elf.Length - offset;
            slice = isInside ? elf.Slice((int)offset, (int)length) : default;
            return isInside;
        }
    }

    private static string Underscored(string name) => name.Replace('-', '_');
}
