using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace RelayBench;

/// <summary>How much longer a packet takes by way of the relay than over a TCP connection of the same two.</summary>
internal static class Latency
{
    private const int Length = 1200;
    private const int Count = 5000;
    private const int WarmUp = 2000;

    public static async Task RunAsync()
    {
        await using RelayProcess relay = await RelayProcess.StartAsync();
        using FrameSocket one = await FrameSocket.ConnectAsync(relay.Address), two = await FrameSocket.ConnectAsync(relay.Address);
        double[] relayed = await MeasureAsync(
            one.Socket, two.Socket, FrameSocket.Datagram(two.Id, Length, 0), FrameSocket.Datagram(one.Id, Length, 0), one.ReceiveAsync, two.ReceiveAsync);

        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await near.ConnectAsync(listener.LocalEndPoint!);
        using Socket far = await listener.AcceptAsync();
        far.NoDelay = true;
        byte[] packet = new byte[Length];
        double[] direct = await MeasureAsync(near, far, packet, packet, () => ReadAsync(near), () => ReadAsync(far));

        Console.WriteLine("| one way, half of a round trip of 1,200 bytes | median | 90 % | 99 % |\n|---|---|---|---|");
        Console.WriteLine($"| TCP over loopback | {Text(direct, 0.5)} | {Text(direct, 0.9)} | {Text(direct, 0.99)} |");
        Console.WriteLine($"| over the relay | {Text(relayed, 0.5)} | {Text(relayed, 0.9)} | {Text(relayed, 0.99)} |");
        Console.WriteLine($"| added | {At(relayed, 0.5) - At(direct, 0.5):0} µs | | |\n");
    }

    private static async Task<double[]> MeasureAsync(
        Socket one, Socket two, byte[] there, byte[] back, Func<Task<ReadOnlyMemory<byte>>> receiveAtOne, Func<Task<ReadOnlyMemory<byte>>> receiveAtTwo)
    {
        double[] times = new double[Count];
        for (int i = -WarmUp; i < Count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await one.SendAsync(there);
            await receiveAtTwo();
            await two.SendAsync(back);
            await receiveAtOne();
            if (i >= 0)
                times[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds / 2;
        }

        Array.Sort(times);
        return times;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(Socket socket)
    {
        byte[] buffer = new byte[Length];
        for (int read = 0; read < Length;)
            read += await socket.ReceiveAsync(buffer.AsMemory(read));
        return buffer;
    }

    private static double At(double[] sorted, double share) => sorted[(int)(sorted.Length * share)];

    private static string Text(double[] sorted, double share) => $"{At(sorted, share):0} µs";
}
