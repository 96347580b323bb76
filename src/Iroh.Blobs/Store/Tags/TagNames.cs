using System.Globalization;
using System.Text;

namespace Iroh.Blobs.Store.Tags;

/// <summary>Names of tags.</summary>
internal static class TagNames
{
    /// <summary>A name made of the time, as upstream makes it, that is not taken yet.</summary>
    public static string Automatic(DateTimeOffset now, Func<string, bool> isTaken)
    {
        string name = "auto-" + now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        if (!isTaken(name))
            return name;
        int number = 1;
        while (isTaken(string.Create(CultureInfo.InvariantCulture, $"{name}-{number}")))
            number++;
        return string.Create(CultureInfo.InvariantCulture, $"{name}-{number}");
    }

    public static void Check(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (Encoding.UTF8.GetByteCount(name) > BlobTag.NameBytesMax)
            throw new ArgumentException($"the name of a tag has more than {BlobTag.NameBytesMax} bytes", nameof(name));
    }
}
