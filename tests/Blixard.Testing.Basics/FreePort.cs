using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Blixard.Testing.Basics;

/// <summary>A TCP port of 127.0.0.1 for a program that a test starts and that has to be told its port.</summary>
public static class FreePort
{
    private const int First = 20_000;

    /// <summary>
    /// A port that nobody has, and below those that the system gives away to whoever asks for any port or connects: between this look and
    /// the program's start nobody gets it by chance. It is chosen at random, so that tests that look at the same time find different ones.
    /// </summary>
    public static int Find()
    {
        string range = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range");
        int end = int.Parse(range.Split((char[])['\t', ' '])[0], CultureInfo.InvariantCulture);
        Assert.True(end > First, $"the system gives away ports from {end} on; none is left for tests");
        for (int attempt = 0; attempt < 100; attempt++)
        {
            int port = Random.Shared.Next(First, end);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it; the next one.
            }
        }

        throw new InvalidOperationException($"of a hundred ports from {First} to {end} none was free");
    }
}
