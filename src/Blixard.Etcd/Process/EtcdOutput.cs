using System.Runtime.CompilerServices;

namespace Blixard.Etcd.Process;

/// <summary>Cuts etcd's output into lines.</summary>
internal static class EtcdOutput
{
    /// <summary>The longest line that is read whole: four times what etcd writes with a stack trace. The rest of a longer one is left out.</summary>
    public const int LineBytesMax = 16 * 1024;

    /// <summary>The lines until the end of the output, which is the end of the process.</summary>
    public static async IAsyncEnumerable<EtcdLogLine> ReadAsync(Stream output, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        byte[] buffer = new byte[LineBytesMax];
        int filled = 0;
        bool skipping = false;
        while (true)
        {
            int count;
            try
            {
                count = await output.ReadAsync(buffer.AsMemory(filled), cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                count = 0;
            }

            filled += count;
            int start = 0;
            for (int end; (end = buffer.AsSpan(start, filled - start).IndexOf((byte)'\n')) >= 0; start += end + 1)
            {
                if (!skipping && end > 0)
                    yield return EtcdLogLine.Read(buffer.AsSpan(start, end));
                skipping = false;
            }

            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
            if (filled == buffer.Length || (count == 0 && filled > 0))
            {
                if (!skipping)
                    yield return EtcdLogLine.Read(buffer.AsSpan(0, filled));
                skipping = true;
                filled = 0;
            }

            if (count == 0)
                yield break;
        }
    }
}
