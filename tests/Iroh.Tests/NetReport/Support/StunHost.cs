using System.Net;
using System.Net.Sockets;
using Iroh.NetReport.Stun;

namespace Iroh.Tests.NetReport.Support;

/// <summary>A STUN server on loopback that may lie.</summary>
internal sealed class StunHost : IAsyncDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    /// <param name="see">What it says it sees, from where the request came from; null: it says nothing.</param>
    public StunHost(Func<IPEndPoint, IPEndPoint?> see)
    {
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _loop = Task.Run(() => RunAsync(see));
    }

    public int Port => ((IPEndPoint)_socket.LocalEndPoint!).Port;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _socket.Dispose();
    }

    private async Task RunAsync(Func<IPEndPoint, IPEndPoint?> see)
    {
        byte[] request = new byte[1500], answer = new byte[StunMessage.AnswerLengthMax];
        try
        {
            while (true)
            {
                SocketReceiveFromResult result = await _socket.ReceiveFromAsync(request, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _stopping.Token);
                if (see((IPEndPoint)result.RemoteEndPoint) is { } seen && StunResponder.TryAnswer(seen, request.AsSpan(0, result.ReceivedBytes), answer, out int length))
                    await _socket.SendToAsync(answer.AsMemory(0, length), result.RemoteEndPoint, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
