using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Iroh.Docs;

/// <summary>The text form that ids and secrets of documents share.</summary>
internal static class KeyText
{
    /// <summary>Reads 64 hex digits of either case.</summary>
    internal static bool TryRead([NotNullWhen(true)] string? text, out byte[] bytes)
    {
        bytes = [];
        if (text is not { Length: 2 * Bytes32.Length })
            return false;
        byte[] read = new byte[Bytes32.Length];
        if (Convert.FromHexString(text, read, out _, out _) != OperationStatus.Done)
            return false;
        bytes = read;
        return true;
    }
}
