using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace BlobsBench.Transfers;

/// <summary>Writes the description of one file for BitTorrent (BEP 3).</summary>
internal static class Torrent
{
    private const int PieceLength = 1 << 20;

    public static void Write(string torrent, string file, string announceUrl)
    {
        using var pieces = new MemoryStream();
        using FileStream stream = File.OpenRead(file);
        var piece = new byte[PieceLength];
        while (stream.ReadAtLeast(piece, PieceLength, throwOnEndOfStream: false) is int read and > 0)
        {
#pragma warning disable CA5350 // The format says SHA-1.
            pieces.Write(SHA1.HashData(piece.AsSpan(0, read)));
#pragma warning restore CA5350
        }

        using FileStream output = File.Create(torrent);
        output.Write(Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"d8:announce{announceUrl.Length}:{announceUrl}4:infod6:lengthi{stream.Length}e4:name4:file12:piece lengthi{PieceLength}e6:pieces{pieces.Length}:")));
        pieces.WriteTo(output);
        output.Write("ee"u8);
    }
}
