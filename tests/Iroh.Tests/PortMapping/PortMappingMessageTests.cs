using System.Net;
using System.Text;
using Iroh.PortMapping;

namespace Iroh.Tests.PortMapping;

public class PortMappingMessageTests
{
    private static readonly byte[] s_nonce = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    private const string Description = """
        <?xml version="1.0"?>
        <root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
        <serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/l3</controlURL></service></serviceList>
        <deviceList><device><deviceList><device><serviceList><service>
        <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ctl/IPConn</controlURL>
        </service></serviceList></device></deviceList></device></deviceList></device></root>
        """;

    private static readonly Uri s_location = new("http://192.168.1.1:5000/rootDesc.xml");

    [Fact]
    public void A_nat_pmp_mapping_is_asked_for_as_rfc_6886_writes_it()
    {
        byte[] buffer = new byte[NatPmpMessage.RequestLengthMax];
        Assert.Equal("0000", Convert.ToHexStringLower(buffer[..NatPmpMessage.WriteAddressRequest(buffer)]));
        Assert.Equal(12, NatPmpMessage.WriteMapRequest(buffer, 0x1234, 0x5678, TimeSpan.FromHours(2)));
        Assert.Equal("000100001234567800001c20", Convert.ToHexStringLower(buffer));
    }

    [Fact]
    public void Nat_pmp_answers_are_read()
    {
        Assert.True(NatPmpMessage.TryReadAddress(Convert.FromHexString("0080000000000005cb007105"), out int result, out IPAddress address));
        Assert.Equal((0, IPAddress.Parse("203.0.113.5")), (result, address));
        Assert.True(NatPmpMessage.TryReadMap(Convert.FromHexString("0081000000000005123456780000003c"), out result, out var mapping));
        Assert.Equal((0, (0x1234, 0x5678, TimeSpan.FromMinutes(1))), (result, mapping));
        Assert.True(NatPmpMessage.TryReadMap(Convert.FromHexString("0081000200000005"), out result, out _));
        Assert.Equal(2, result);
        Assert.False(NatPmpMessage.TryReadMap(Convert.FromHexString("0081000000000005"), out _, out _));
        Assert.False(NatPmpMessage.TryReadMap(Convert.FromHexString("0001000000000005123456780000003c"), out _, out _));
    }

    [Fact]
    public void A_pcp_mapping_is_asked_for_as_rfc_6887_writes_it()
    {
        byte[] buffer = new byte[PcpMessage.RequestLength];
        PcpMessage.WriteMapRequest(buffer, IPAddress.Parse("192.168.1.5"), 0x1234, 0x5678, TimeSpan.FromHours(2), s_nonce);
        Assert.Equal(
            "0201000000001c20" + "00000000000000000000ffffc0a80105" + "0102030405060708090a0b0c" + "11000000" + "12345678" + "00000000000000000000ffff00000000",
            Convert.ToHexStringLower(buffer));
    }

    [Fact]
    public void A_pcp_answer_counts_only_with_our_nonce()
    {
        byte[] answer = PcpAnswer(0);
        Assert.True(PcpMessage.TryReadMap(answer, s_nonce, out PcpAnswer read));
        Assert.Equal(new PcpAnswer(0, TimeSpan.FromSeconds(120), 0x1234, IPEndPoint.Parse("203.0.113.5:22136")), read);
        answer[24] ^= 1;
        Assert.False(PcpMessage.TryReadMap(answer, s_nonce, out _));
        Assert.False(PcpMessage.TryReadMap(answer.AsSpan(0, 59), s_nonce, out _));
    }

    [Theory]
    [InlineData("0081000100000005")]
    [InlineData("02810001000000000000000000000000000000000000000000000000")]
    public void A_gateway_without_pcp_says_so_in_either_protocol(string hex)
    {
        Assert.True(PcpMessage.TryReadMap(Convert.FromHexString(hex), s_nonce, out PcpAnswer answer));
        Assert.Equal(PcpMessage.UnsupportedVersion, answer.Result);
    }

    [Fact]
    public void A_search_answer_counts_only_from_the_gateway_that_describes_itself()
    {
        IPAddress gateway = IPAddress.Parse("192.168.1.1");
        Assert.True(SsdpMessage.TryReadAnswer(Ssdp("http://192.168.1.1:5000/rootDesc.xml"), gateway, out Uri? location));
        Assert.Equal(s_location, location);
        Assert.False(SsdpMessage.TryReadAnswer(Ssdp("http://192.168.1.9:5000/rootDesc.xml"), gateway, out _));
        Assert.False(SsdpMessage.TryReadAnswer(Ssdp("http://evil.example/"), gateway, out _));
        Assert.False(SsdpMessage.TryReadAnswer(Ssdp("file:///etc/passwd"), gateway, out _));
        Assert.False(SsdpMessage.TryReadAnswer(Ssdp("http://192.168.1.1/", "urn:schemas-upnp-org:device:MediaServer:1"), gateway, out _));
        Assert.False(SsdpMessage.TryReadAnswer("NOTIFY * HTTP/1.1\r\n\r\n"u8, gateway, out _));
        Assert.False(SsdpMessage.TryReadAnswer([], gateway, out _));
    }

    [Fact]
    public void The_service_that_forwards_ports_is_found_in_the_description() =>
        Assert.Equal(
            new GatewayService("urn:schemas-upnp-org:service:WANIPConnection:1", new Uri("http://192.168.1.1:5000/ctl/IPConn")),
            GatewayDescription.TryRead(Description, s_location));

    [Theory]
    [InlineData("not xml")]
    [InlineData("<root/>")]
    [InlineData("<!DOCTYPE root [<!ENTITY a \"b\">]><root>&a;</root>")]
    public void A_description_without_it_is_none(string xml) => Assert.Null(GatewayDescription.TryRead(xml, s_location));

    [Fact]
    public void A_description_that_names_another_machine_or_is_nested_without_end_is_none()
    {
        Assert.Null(GatewayDescription.TryRead(Description.Replace("/ctl/IPConn", "http://10.0.0.1/ctl"), s_location));
        Assert.Null(GatewayDescription.TryRead(Description.Replace("<device><deviceType>", "<URLBase>http://evil.example/</URLBase><device><deviceType>"), s_location));
        Assert.Null(GatewayDescription.TryRead(string.Concat(Enumerable.Repeat("<a>", 5000)) + string.Concat(Enumerable.Repeat("</a>", 5000)), s_location));
    }

    [Fact]
    public void A_request_to_the_gateway_is_soap_and_its_refusal_has_a_code()
    {
        string body = GatewayAction.Write("urn:s:1", "Add", ("NewPort", "1"), ("NewText", "<&>"));
        Assert.Contains("<u:Add xmlns:u=\"urn:s:1\"><NewPort>1</NewPort><NewText>&lt;&amp;&gt;</NewText></u:Add>", body);
        Assert.Equal("<&>", GatewayAction.Read(body, "NewText"));
        Assert.Equal(718, GatewayAction.ReadError("<s><Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></Fault></s>"));
        Assert.Equal(0, GatewayAction.ReadError("<s/>"));
        Assert.Equal(0, GatewayAction.ReadError("nonsense"));
    }

    [Fact]
    public void Random_and_damaged_messages_never_throw()
    {
        const int Seed = 6887;
        var random = new Random(Seed);
        byte[][] good = [PcpAnswer(0), Convert.FromHexString("0081000000000005123456780000003c"), Ssdp("http://192.168.1.1:5000/rootDesc.xml"), Encoding.UTF8.GetBytes(Description)];
        for (int round = 0; round < 5_000; round++)
        {
            byte[] message = [.. good[random.Next(good.Length)].Take(random.Next(1200))];
            for (int i = random.Next(5); i > 0 && message.Length > 0; i--)
                message[random.Next(message.Length)] = (byte)random.Next(256);
            Exception? thrown = Record.Exception(() =>
            {
                PcpMessage.TryReadMap(message, s_nonce, out _);
                NatPmpMessage.TryReadMap(message, out _, out _);
                NatPmpMessage.TryReadAddress(message, out _, out _);
                SsdpMessage.TryReadAnswer(message, IPAddress.Parse("192.168.1.1"), out _);
                GatewayDescription.TryRead(Encoding.UTF8.GetString(message), s_location);
                GatewayAction.ReadError(Encoding.UTF8.GetString(message));
            });
            Assert.True(thrown is null, $"seed {Seed}, round {round}: {thrown}");
        }
    }

    private static byte[] PcpAnswer(byte result) => Convert.FromHexString(
        $"028100{result:x2}00000078000000010000000000000000000000000102030405060708090a0b0c110000001234567800000000000000000000ffffcb007105");

    private static byte[] Ssdp(string location, string target = "urn:schemas-upnp-org:device:InternetGatewayDevice:1") =>
        Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {target}\r\nLocation:   {location}\r\nEXT:\r\n\r\n");
}
