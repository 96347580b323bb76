using System.Net;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Lookup;

namespace Iroh.Tests.Lookup;

public sealed class LookupConfigurationTests
{
    [Theory]
    [InlineData("dns.example.com", "dns.example.com")]
    [InlineData("dns.example.com@192.0.2.1", "dns.example.com@192.0.2.1:53")]
    [InlineData("dns.example.com@192.0.2.1:5300", "dns.example.com@192.0.2.1:5300")]
    [InlineData("dns.example.com@[2001:db8::1]:5300", "dns.example.com@[2001:db8::1]:5300")]
    [InlineData("dns.example.com@https://one.example/dns-query", "dns.example.com@https://one.example/dns-query")]
    public void A_domain_is_read_with_the_server_that_is_asked(string text, string expected)
    {
        Assert.True(DnsOrigin.TryParse(text, out DnsOrigin? origin, out _));

        Assert.Equal(expected, origin.ToString());
        Assert.True(DnsOrigin.TryParse(expected, out DnsOrigin? again, out _));
        Assert.Equal(origin, again);
    }

    [Theory]
    [InlineData(null, "no domain")]
    [InlineData("", "no domain")]
    [InlineData("@192.0.2.1", "no domain")]
    [InlineData("a..b", "no domain")]
    [InlineData("dns.example.com@", "no DNS server")]
    [InlineData("dns.example.com@server", "no DNS server")]
    [InlineData("dns.example.com@ftp://server", "no DNS server")]
    public void What_is_no_domain_or_no_server_is_explained(string? text, string expected)
    {
        Assert.False(DnsOrigin.TryParse(text, out _, out string? problem));

        Assert.Contains(expected, problem);
    }

    [Fact]
    public void A_domain_is_refused_from_the_length_on_with_which_no_endpoint_has_a_name_in_it()
    {
        // A name has 253 characters; "_iroh." and an id of 52 with its dot stand before the domain.
        const int LengthMax = 253 - 6 - 53;
        string labels = string.Join('.', new string('a', 60), new string('b', 60), new string('c', 60), new string('d', 30));
        for (int length = LengthMax - 5; length <= LengthMax + 5; length++)
        {
            bool isOne = DnsOrigin.TryParse(labels[^length..], out DnsOrigin? origin, out _);

            Assert.Equal(length <= LengthMax, isOne);
            if (isOne)
                Assert.Equal("dns", origin!.CreateLookup().Name);
        }
    }

    [Theory]
    [InlineData("https://dns.example.com/pkarr", true)]
    [InlineData("http://127.0.0.1:3340/pkarr", true)]
    [InlineData("dns.example.com/pkarr", false)]
    [InlineData("ftp://dns.example.com/pkarr", false)]
    [InlineData(null, false)]
    public void A_pkarr_server_is_named_by_a_URL_of_the_web(string? text, bool isOne)
    {
        Assert.Equal(isOne, LookupConfiguration.TryParsePkarr(text, out _, out string? problem));
        Assert.Equal(isOne, problem is null);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Each_choice_makes_its_services_and_no_choice_none()
    {
        var key = SecretKey.Generate();
        Assert.False(LookupConfiguration.None.CanResolve);
        Assert.Empty(LookupConfiguration.None.Create(key, hasRelay: false));
        var all = new LookupConfiguration
        {
            Multicast = true,
            Dns = [new DnsOrigin("dns.test", new IPEndPoint(IPAddress.Loopback, 1))],
            Pkarr = [new Uri("http://127.0.0.1:1/pkarr")],
        };

        Assert.True(all.CanResolve);
        await using var set = new LookupSet(all.Create(key, hasRelay: true));
        Assert.Equal(["mdns", "dns", "pkarr_publisher", "pkarr"], set.Services.Select(service => service.Name));
    }
}
