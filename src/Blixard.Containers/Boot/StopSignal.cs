using System.Globalization;

namespace Blixard.Containers.Boot;

/// <summary>The signals by which programs are asked to end, by the numbers of Linux on x86-64 (signal(7)).</summary>
internal static class StopSignal
{
    private const int Terminate = 15;

    private const int RealTimeMin = 34;

    private const int NumberMax = 64;

    private static readonly Dictionary<string, int> s_numbers = new(StringComparer.Ordinal)
    {
        ["HUP"] = 1, ["INT"] = 2, ["QUIT"] = 3, ["ILL"] = 4, ["TRAP"] = 5, ["ABRT"] = 6, ["BUS"] = 7, ["FPE"] = 8, ["KILL"] = 9, ["USR1"] = 10,
        ["SEGV"] = 11, ["USR2"] = 12, ["PIPE"] = 13, ["ALRM"] = 14, ["TERM"] = Terminate, ["CHLD"] = 17, ["CONT"] = 18, ["STOP"] = 19, ["TSTP"] = 20,
        ["TTIN"] = 21, ["TTOU"] = 22, ["URG"] = 23, ["XCPU"] = 24, ["XFSZ"] = 25, ["VTALRM"] = 26, ["PROF"] = 27, ["WINCH"] = 28, ["IO"] = 29,
        ["PWR"] = 30, ["SYS"] = 31, ["RTMIN"] = RealTimeMin, ["RTMAX"] = NumberMax,
    };

    /// <summary>The number of a signal: <c>SIGTERM</c>, <c>TERM</c>, <c>15</c>, <c>SIGRTMIN+3</c>; empty = SIGTERM.</summary>
    /// <exception cref="ContainerImageException">There is no such signal.</exception>
    public static int Parse(string text)
    {
        if (text.Length == 0)
            return Terminate;
        string name = text.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? text[3..].ToUpperInvariant() : text.ToUpperInvariant();
        if (s_numbers.TryGetValue(name, out int number))
            return number;
        bool isRealTime = name.StartsWith("RTMIN+", StringComparison.Ordinal);
        if (int.TryParse(isRealTime ? name[6..] : name, NumberStyles.None, CultureInfo.InvariantCulture, out number))
        {
            number += isRealTime ? RealTimeMin : 0;
            if (number is >= 1 and <= NumberMax)
                return number;
        }

        throw ContainerImageException.Malformed($"the image's stop signal '{ByteText.Show(ByteText.FromUnicode(text))}' is none");
    }
}
