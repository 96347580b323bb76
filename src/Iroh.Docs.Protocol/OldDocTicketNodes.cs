using Iroh.Base;
using Iroh.Base.Serialization;

namespace Iroh.Docs;

/// <summary>
/// Recognises the nodes of a document ticket of iroh-docs 0.93 and older: number, then id, optional relay URL, number of socket addresses,
/// socket addresses.
/// </summary>
internal static class OldDocTicketNodes
{
    /// <summary>Whether <paramref name="bytes"/> are such nodes from the first byte to the last.</summary>
    internal static bool Fill(ReadOnlySpan<byte> bytes)
    {
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadUInt64(out ulong count) || count is 0 or > DocTicket.NodesMax)
            return false;
        for (ulong i = 0; i < count; i++)
        {
            if (!TrySkipNode(ref reader))
                return false;
        }

        return reader.Remaining == 0;
    }

    private static bool TrySkipNode(ref PostcardReader reader)
    {
        if (!reader.TryReadFixed(EndpointId.Length, out ReadOnlySpan<byte> id)
            || !EndpointId.TryFromBytes(id, out _)
            || !reader.TryReadBool(out bool hasRelay)
            || (hasRelay && !(reader.TryReadString(out string url) && RelayUrl.TryParse(url, out _)))
            || !reader.TryReadUInt64(out ulong addresses)
            || addresses > EndpointAddressCodec.MaxAddresses)
            return false;
        for (ulong i = 0; i < addresses; i++)
        {
            if (!reader.TryReadUInt32(out uint family)
                || family > 1
                || !reader.TryReadFixed(family == 0 ? 4 : 16, out _)
                || !reader.TryReadUInt16(out _))
                return false;
        }

        return true;
    }
}
