using System.Text;
using Iroh.Base;

namespace Iroh;

/// <summary>A secret key in a file of its own: 64 lower-case hex digits, readable by its owner only.</summary>
public static class SecretKeyFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    // A key has 64 digits and a line end; more than this is another file.
    private const int MaxFileLength = 1024;

    /// <summary>Reads the key, or creates a new random one (mode 0600) if there is no such file.</summary>
    /// <param name="path">The file. Its folder must exist.</param>
    /// <exception cref="SecretKeyFileException">The file cannot be read or written, is readable by others, or holds no key.</exception>
    public static SecretKey LoadOrCreate(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            if (!File.Exists(path))
                Create(path);
            return Load(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SecretKeyFileException($"The key file {path} cannot be used: {exception.Message}", exception);
        }
    }

    private static SecretKey Load(string path)
    {
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0)
        {
            throw new SecretKeyFileException(
                $"The key file {path} can be read or written by other users. If nobody else has seen it, run: chmod 600 {path}");
        }

        if (new FileInfo(path).Length > MaxFileLength || !SecretKey.TryParse(File.ReadAllText(path).Trim(), out SecretKey? key))
        {
            throw new SecretKeyFileException(
                $"The file {path} does not hold a secret key (64 lower-case hex digits). Restore it from a backup, or remove it to get a new identity.");
        }

        return key!;
    }

    /// <summary>Writes a complete file beside the final name first, so that a crash never leaves half a key.</summary>
    private static void Create(string path)
    {
        SecretKey key = SecretKey.Generate();
        string temporary = $"{path}.{Guid.NewGuid():N}.new";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerOnly;
        try
        {
            using (var file = new FileStream(temporary, options))
            {
                file.Write(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(key.Seed) + "\n"));
                file.Flush(flushToDisk: true);
            }

            // Another process may have created the key meanwhile: then that one counts.
            if (!File.Exists(path))
                File.Move(temporary, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}

/// <summary>A key file that cannot be used. The message says why and what to do.</summary>
public sealed class SecretKeyFileException : Exception
{
    internal SecretKeyFileException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
