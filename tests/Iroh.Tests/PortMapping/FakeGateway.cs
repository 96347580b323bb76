using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Iroh.Tests.NetReport.Support;

namespace Iroh.Tests.PortMapping;

/// <summary>A gateway on loopback: a UDP port for PCP and NAT-PMP, one for SSDP, and an HTTP server. Each speaks only if told to.</summary>
internal sealed class FakeGateway : IAsyncDisposable
{
    private readonly Socket _mapping = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly Socket _search = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly CancellationTokenSource _stopping = new();
    private readonly HttpHost _http;
    private readonly Task _loops;

    public FakeGateway()
    {
        _mapping.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _search.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _http = new HttpHost(Answer);
        _loops = Task.WhenAll(
            ServeAsync(_mapping, request => HasPcp && request[0] == 2 ? Pcp(request) : HasNatPmp ? NatPmp(request) : null),
            ServeAsync(_search, _ => HasUpnp ? Encoding.ASCII.GetBytes(
                $"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: http://127.0.0.1:{_http.Port}/desc.xml\r\n\r\n") : null));
    }

    public static IPAddress PublicAddress { get; } = IPAddress.Parse("203.0.113.77");

    public bool HasPcp { get; set; }

    public bool HasNatPmp { get; set; }

    public bool HasUpnp { get; set; }

    /// <summary>UPnP only: ports that belong to somebody else.</summary>
    public Func<int, bool> IsTaken { get; set; } = _ => false;

    /// <summary>UPnP only: refuses leases that end.</summary>
    public bool KnowsNoLeases { get; set; }

    /// <summary>How long mappings live, in seconds.</summary>
    public int Lifetime { get; set; } = 600;

    public int MappingPort => ((IPEndPoint)_mapping.LocalEndPoint!).Port;

    public IPEndPoint SearchAddress => (IPEndPoint)_search.LocalEndPoint!;

    /// <summary>Forwarded ports: external to internal.</summary>
    public ConcurrentDictionary<int, int> Forwards { get; } = [];

    public int Grants { get; private set; }

    /// <summary>PCP only: the nonces that came.</summary>
    public ConcurrentDictionary<string, bool> Nonces { get; } = [];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loops;
        await _http.DisposeAsync();
        _mapping.Dispose();
        _search.Dispose();
    }

    private async Task ServeAsync(Socket socket, Func<byte[], byte[]?> answer)
    {
        byte[] buffer = new byte[2048];
        try
        {
            while (true)
            {
                SocketReceiveFromResult result = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _stopping.Token);
                if (answer(buffer[..result.ReceivedBytes]) is { } bytes)
                    await socket.SendToAsync(bytes, SocketFlags.None, result.RemoteEndPoint, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private byte[] Pcp(byte[] request)
    {
        int internalPort = (request[40] << 8) | request[41], external = (request[42] << 8) | request[43];
        Nonces[Convert.ToHexString(request, 24, 12)] = true;
        bool isDelete = request[4..8].All(value => value == 0);
        byte[] answer = [.. request];
        answer[1] |= 0x80;
        answer[8..24].AsSpan().Clear();
        if (isDelete)
        {
            Remove(internalPort);
            return answer;
        }

        Grant(external, internalPort);
        (answer[4], answer[5], answer[6], answer[7]) = (0, 0, (byte)(Lifetime >> 8), (byte)Lifetime);
        PublicAddress.MapToIPv6().GetAddressBytes().CopyTo(answer, 44);
        return answer;
    }

    private byte[]? NatPmp(byte[] request)
    {
        if (request[0] != 0)
            return [0, (byte)(request[1] | 0x80), 0, 1, 0, 0, 0, 9];
        if (request[1] == 0)
            return [0, 128, 0, 0, 0, 0, 0, 9, .. PublicAddress.GetAddressBytes()];
        int internalPort = (request[4] << 8) | request[5], external = (request[6] << 8) | request[7];
        if (request[8..12].All(value => value == 0))
            Remove(internalPort);
        else
            Grant(external, internalPort);
        return [0, 129, 0, 0, 0, 0, 0, 9, request[4], request[5], request[6], request[7], 0, 0, (byte)(Lifetime >> 8), (byte)Lifetime];
    }

    private string Answer(HttpCall call)
    {
        if (call.Path == "/desc.xml")
        {
            return HttpHost.Status(200, "<root><device><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
                + "<controlURL>/ctl</controlURL></service></serviceList></device></root>");
        }

        string action = call.Header("SOAPAction")!.Trim('"').Split('#')[1];
        int Port(string name) => int.Parse(Iroh.PortMapping.GatewayAction.Read(call.Body, name)!);
        switch (action)
        {
            case "GetExternalIPAddress":
                return HttpHost.Status(200, $"<s><NewExternalIPAddress>{PublicAddress}</NewExternalIPAddress></s>");
            case "AddPortMapping" when KnowsNoLeases && Port("NewLeaseDuration") != 0:
                return HttpHost.Status(500, "<s><errorCode>725</errorCode></s>");
            case "AddPortMapping" when IsTaken(Port("NewExternalPort")):
                return HttpHost.Status(500, "<s><errorCode>718</errorCode></s>");
            case "AddPortMapping":
                Grant(Port("NewExternalPort"), Port("NewInternalPort"));
                return HttpHost.Status(200, "<s><AddPortMappingResponse/></s>");
            default:
                Forwards.TryRemove(Port("NewExternalPort"), out _);
                return HttpHost.Status(200, "<s/>");
        }
    }

    private void Grant(int external, int internalPort)
    {
        Forwards[external] = internalPort;
        Grants++;
    }

    private void Remove(int internalPort)
    {
        foreach ((int external, int target) in Forwards)
        {
            if (target == internalPort)
                Forwards.TryRemove(external, out _);
        }
    }
}
