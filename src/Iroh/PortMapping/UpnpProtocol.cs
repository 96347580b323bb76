using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Iroh.PortMapping;

/// <summary>Asks a gateway by UPnP: finds it by SSDP, reads its description, and sends it requests over HTTP. Used by one caller at a time.</summary>
internal sealed class UpnpProtocol : IPortMappingProtocol, IDisposable
{
    // Devices wait up to the second that the search names before they answer.
    private static readonly TimeSpan s_searchTime = TimeSpan.FromMilliseconds(1200);
    private static readonly TimeSpan s_httpLimit = TimeSpan.FromSeconds(3);

    // Descriptions have some ten kilobytes.
    private const int AnswerSizeMax = 256 * 1024;
    private const int SearchAnswerLengthMax = 2048;

    // Ports are tried at random where ours is taken; a gateway that refuses so many refuses all.
    private const int PortsMax = 4;
    private const int FirstDynamicPort = 49152;

    // What a gateway without leases forwards is asked for anew every hour: it may have been restarted.
    private static readonly TimeSpan s_permanentLease = TimeSpan.FromHours(2);

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false });
    private readonly TimeProvider _time;
    private readonly IPEndPoint _searchAddress;
    private readonly Func<int, int> _random;
    private (IPAddress Gateway, GatewayService Service)? _known;

    /// <summary>Makes it.</summary>
    /// <param name="time">The clock for limits.</param>
    /// <param name="random">A random number from 0 to below its argument.</param>
    /// <param name="searchAddress">Where searches go; null for SSDP's multicast address.</param>
    public UpnpProtocol(TimeProvider time, Func<int, int> random, IPEndPoint? searchAddress = null) =>
        (_time, _random, _searchAddress) = (time, random, searchAddress ?? SsdpMessage.Multicast);

    /// <inheritdoc/>
    public PortMappingProtocol Protocol => PortMappingProtocol.Upnp;

    /// <inheritdoc/>
    public async Task<MappingLease> MapAsync(MappingRequest request, CancellationToken cancellationToken)
    {
        using Socket socket = Open(request.Gateway);
        IPAddress local = ((IPEndPoint)socket.LocalEndPoint!).Address;
        bool wasKnown = _known?.Gateway.Equals(request.Gateway) == true;
        try
        {
            return await MapAsync(await FindAsync(request.Gateway, socket, cancellationToken).ConfigureAwait(false), request, local, cancellationToken).ConfigureAwait(false);
        }
        catch (PortMappingException) when (wasKnown)
        {
            // A gateway that was restarted may have moved its service.
            _known = null;
            return await MapAsync(await FindAsync(request.Gateway, socket, cancellationToken).ConfigureAwait(false), request, local, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task UnmapAsync(MappingRequest request, MappedPort port, CancellationToken cancellationToken)
    {
        if (_known is not { } known || !known.Gateway.Equals(request.Gateway))
            return;
        await CallAsync(
            known.Service, "DeletePortMapping",
            [("NewRemoteHost", ""), ("NewExternalPort", Text(port.External.Port)), ("NewProtocol", "UDP")], cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<MappingLease> MapAsync(GatewayService service, MappingRequest request, IPAddress local, CancellationToken cancellationToken)
    {
        string addressAnswer = await CallAsync(service, "GetExternalIPAddress", [], cancellationToken).ConfigureAwait(false);
        if (!IPAddress.TryParse(GatewayAction.Read(addressAnswer, "NewExternalIPAddress"), out IPAddress? external) || external.Equals(IPAddress.Any))
            throw new PortMappingException($"{request.Gateway} has no public address (UPnP).");
        int port = request.SuggestedPort;
        TimeSpan lease = MappingRequest.Lifetime;
        for (int i = 0; i < PortsMax; i++)
        {
            string answer = await CallAsync(
                service,
                "AddPortMapping",
                [
                    ("NewRemoteHost", ""), ("NewExternalPort", Text(port)), ("NewProtocol", "UDP"), ("NewInternalPort", Text(request.InternalPort)),
                    ("NewInternalClient", local.ToString()), ("NewEnabled", "1"), ("NewPortMappingDescription", "iroh"),
                    ("NewLeaseDuration", Text((int)lease.TotalSeconds)),
                ],
                cancellationToken).ConfigureAwait(false);
            switch (GatewayAction.ReadError(answer))
            {
                case 0 when GatewayDescription.TryParse(answer) is not null:
                    return new MappingLease(
                        new MappedPort(new IPEndPoint(external, port), request.InternalPort, Protocol), lease == TimeSpan.Zero ? s_permanentLease : lease);
                case GatewayAction.OnlyPermanentLeases when lease > TimeSpan.Zero:
                    lease = TimeSpan.Zero;
                    break;
                case GatewayAction.Conflict:
                    port = FirstDynamicPort + _random(ushort.MaxValue + 1 - FirstDynamicPort);
                    break;
                case var code:
                    throw new PortMappingException($"{request.Gateway} refuses to forward a port (UPnP error {code}).");
            }
        }

        throw new PortMappingException($"{request.Gateway} has no port left that it would forward (UPnP).");
    }

    private async Task<GatewayService> FindAsync(IPAddress gateway, Socket socket, CancellationToken cancellationToken)
    {
        if (_known is { } known && known.Gateway.Equals(gateway))
            return known.Service;
        Uri location = await SearchAsync(gateway, socket, cancellationToken).ConfigureAwait(false)
            ?? throw new PortMappingException($"{gateway} does not answer UPnP.");
        using var request = new HttpRequestMessage(HttpMethod.Get, location);
        string xml = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        GatewayService service = GatewayDescription.TryRead(xml, location)
            ?? throw new PortMappingException($"{gateway} answers UPnP but offers no service that forwards ports.");
        _known = (gateway, service);
        return service;
    }

    private async Task<Uri?> SearchAsync(IPAddress gateway, Socket socket, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(s_searchTime, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        byte[] buffer = new byte[SearchAnswerLengthMax];
        var anybody = new IPEndPoint(IPAddress.Any, 0);
        try
        {
            foreach (string target in SsdpMessage.Targets)
                await socket.SendToAsync(SsdpMessage.Search(target), SocketFlags.None, _searchAddress, both.Token).ConfigureAwait(false);
            while (true)
            {
                SocketReceiveFromResult result = await socket.ReceiveFromAsync(buffer, SocketFlags.None, anybody, both.Token).ConfigureAwait(false);
                IPAddress from = ((IPEndPoint)result.RemoteEndPoint).Address;
                // Only the gateway itself can forward what arrives at it.
                if (from.Equals(gateway) && SsdpMessage.TryReadAnswer(buffer.AsSpan(0, result.ReceivedBytes), from, out Uri? location))
                    return location;
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private async Task<string> CallAsync(
        GatewayService service, string action, IReadOnlyList<(string Name, string Value)> arguments, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, service.Control)
        {
            Content = new StringContent(GatewayAction.Write(service.ServiceType, action, arguments), Encoding.UTF8, "text/xml"),
        };
        request.Headers.TryAddWithoutValidation("SOAPAction", $"\"{service.ServiceType}#{action}\"");
        return await SendAsync(request, cancellationToken).ConfigureAwait(false);
    }

    // A refusal is an answer too: status 500 with the reason in its body.
    private async Task<string> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(s_httpLimit, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, both.Token).ConfigureAwait(false);
            await using Stream body = await response.Content.ReadAsStreamAsync(both.Token).ConfigureAwait(false);
            byte[] bytes = new byte[AnswerSizeMax];
            int length = await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, both.Token).ConfigureAwait(false);
            return Encoding.UTF8.GetString(bytes, 0, length);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw new PortMappingException($"{request.RequestUri} cannot be asked: {exception.Message}", exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PortMappingException($"{request.RequestUri} does not answer.", exception);
        }
    }

    // A socket on the address from which the gateway sees this machine.
    private static Socket Open(IPAddress gateway)
    {
        try
        {
            using var route = new Socket(gateway.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            route.Connect(gateway, SsdpMessage.Multicast.Port);
            var socket = new Socket(gateway.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(((IPEndPoint)route.LocalEndPoint!).Address, 0));
            return socket;
        }
        catch (SocketException exception)
        {
            throw new PortMappingException($"There is no route to {gateway}.", exception);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
