namespace Iroh.Blobs.Store.Backends;

/// <summary>What failures of the file system mean.</summary>
internal static class DiskErrors
{
    // errno of Linux, which IOException carries as its HResult, and Windows' ERROR_DISK_FULL as it does.
    private const int NoSpace = 28;
    private const int FileTooBig = 27;
    private const int QuotaExceeded = 122;
    private const int WindowsDiskFull = unchecked((int)0x80070070);

    /// <summary>Whether a write failed because there is no room.</summary>
    public static bool IsFull(IOException e) => e.HResult is NoSpace or FileTooBig or QuotaExceeded or WindowsDiskFull;
}
