using System.Security.Cryptography;
using System.Text;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Qemu;

/// <summary>The files of a VM that QEMU uses.</summary>
internal sealed record QemuPaths
{
    /// <summary>The longest path of a unix socket in bytes: sun_path holds 108 with the terminating zero (unix(7)).</summary>
    private const int SocketPathLengthMax = 107;

    private const string QmpName = "qmp.sock";
    private const string ConsoleName = "console.sock";

    public required string PidFile { get; init; }

    public required string QmpSocket { get; init; }

    public required string ConsoleSocket { get; init; }

    public required string ConsoleLog { get; init; }

    /// <summary>What QEMU wrote on stderr since the last start.</summary>
    public required string ErrorLog { get; init; }

    /// <summary>The directory of the sockets if it is not the VM's own.</summary>
    public string? SocketDirectory { get; init; }

    /// <summary>
    /// The paths for <paramref name="place"/>. The sockets are in the VM's directory, or, if that path is too long, in a directory below
    /// <paramref name="runtimeDirectory"/> whose name is a hash of it.
    /// </summary>
    /// <exception cref="VmException">Even the short way is too long.</exception>
    public static QemuPaths For(VmPlace place, string runtimeDirectory)
    {
        string sockets = place.Directory;
        if (!Fits(sockets))
        {
            sockets = Path.Combine(runtimeDirectory, Hash(place.Directory));
            if (!Fits(sockets))
            {
                throw new VmException(
                    VmFailure.DirectoryUnusable,
                    $"the path {sockets}/{ConsoleName} is too long for a socket ({SocketPathLengthMax} bytes); choose a shorter data or runtime directory");
            }
        }

        return new QemuPaths
        {
            PidFile = Path.Combine(place.Directory, "qemu.pid"),
            ErrorLog = Path.Combine(place.Directory, "qemu.log"),
            QmpSocket = Path.Combine(sockets, QmpName),
            ConsoleSocket = Path.Combine(sockets, ConsoleName),
            ConsoleLog = place.Log.Path,
            SocketDirectory = sockets == place.Directory ? null : sockets,
        };
    }

    /// <summary>Where sockets go whose own place is too deep: the system's directory for such files, or one that is the user's own.</summary>
    public static string DefaultRuntimeDirectory()
    {
        if (Environment.UserName == "root")
            return "/run/blixard";
        string? runtime = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        return string.IsNullOrEmpty(runtime) ? $"/tmp/blixard-{Environment.UserName}" : Path.Combine(runtime, "blixard");
    }

    /// <summary>
    /// The UUID of the VM that lives in <paramref name="directory"/>. It follows from the path alone, so that a process can be recognised
    /// when nothing else on disk survived (RFC 9562 §5.8, version 8).
    /// </summary>
    public static Guid UuidFor(string directory)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes("blixard-vm\0" + directory), hash);
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }

    private static bool Fits(string directory) =>
        Encoding.UTF8.GetByteCount(Path.Combine(directory, ConsoleName)) <= SocketPathLengthMax;

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 8));
}
