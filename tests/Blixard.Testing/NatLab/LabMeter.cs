using System.Diagnostics;
using System.Globalization;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>How much a program's machine receives, as proc(5) tells in <c>net/dev</c>. It says when traffic resumes, whatever the program believes.</summary>
public sealed class LabMeter(LabProgram program)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(2);

    /// <summary>Bytes that <c>eth0</c> has received since it was made.</summary>
    public long ReadReceivedBytes()
    {
        foreach (string line in File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{program.ProcessId}/net/dev")))
        {
            if (line.TrimStart().StartsWith("eth0:", StringComparison.Ordinal))
                return long.Parse(line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].TrimStart().Split(' ')[0], CultureInfo.InvariantCulture);
        }

        return 0;
    }

    /// <summary>Waits until so many more bytes have come; how long that took.</summary>
    /// <exception cref="LabException">They do not come.</exception>
    public async Task<TimeSpan> UntilReceivedAsync(long bytes)
    {
        long start = Stopwatch.GetTimestamp();
        long before = ReadReceivedBytes();
        while (Stopwatch.GetElapsedTime(start) < LabNode.Patience)
        {
            if (ReadReceivedBytes() - before >= bytes)
                return Stopwatch.GetElapsedTime(start);
            await Task.Delay(s_interval).ConfigureAwait(false);
        }

        throw new LabException($"{bytes} bytes did not come within {LabNode.Patience.TotalSeconds:0} s\n{program.Tail}");
    }
}
