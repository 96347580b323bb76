using System.Globalization;

namespace Blixard.MicroVm.Guarding;

/// <summary>
/// The time since this machine was started, in hundredths of a second, as every process of the machine can read it
/// (CLOCK_BOOTTIME, in /proc/uptime): it never goes back, nobody can set it, and it runs on while the machine is suspended.
/// </summary>
public static class BootClock
{
    private static readonly Lazy<string> s_bootId = new(() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());

    /// <summary>Now.</summary>
    /// <exception cref="IOException">This is no Linux.</exception>
    public static TimeSpan Now
    {
        get
        {
            string text = File.ReadAllText("/proc/uptime");
            return TimeSpan.FromSeconds(double.Parse(text.AsSpan(0, text.IndexOf(' ', StringComparison.Ordinal)), CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Names the run of the machine that <see cref="Now"/> counts from: another one after each start.</summary>
    public static string BootId => s_bootId.Value;
}
