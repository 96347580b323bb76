using System.CommandLine;
using Blixard.Cli.Vms;
using Blixard.V1;

namespace Blixard.Cli.Tests.Vms;

public sealed class PublishOptionTests
{
    [Fact]
    public void Ports_become_a_network_card_that_publishes_them_and_none_one_that_publishes_nothing()
    {
        string[] texts = ["8080:80", "1:65535", "65535:1", "8081:80"];

        Assert.Null(PublishOption.Check(texts));
        Assert.Equal([(8080U, 80U), (1U, 65535U), (65535U, 1U), (8081U, 80U)], PublishOption.Read(texts).Ports.Select(port => (port.HostPort, port.GuestPort)));
        Assert.Null(PublishOption.Check([]));
        Assert.Empty(PublishOption.Read([]).Ports);
    }

    [Theory]
    [InlineData("")]
    [InlineData("80")]
    [InlineData(":80")]
    [InlineData("8080:")]
    [InlineData("0:80")]
    [InlineData("8080:0")]
    [InlineData("65536:80")]
    [InlineData("8080:65536")]
    [InlineData("-1:80")]
    [InlineData("+8080:80")]
    [InlineData(" 8080:80")]
    [InlineData("8080:80/udp")]
    [InlineData("8080-8090:80")]
    [InlineData("0.0.0.0:8080:80")]
    [InlineData("http:80")]
    public void What_is_not_two_ports_is_named_and_what_is_wanted_is_said(string text)
    {
        string? wrong = PublishOption.Check(["443:443", text]);

        Assert.StartsWith("--publish takes HOST:GUEST, two TCP ports such as 8080:80", wrong, StringComparison.Ordinal);
        Assert.EndsWith($"'{text}' is not that.", wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void A_host_port_that_is_given_twice_is_named() =>
        Assert.Contains("the host port 8080 twice", PublishOption.Check(["8080:80", "8080:81"]), StringComparison.Ordinal);

    [Theory]
    [InlineData("", "")]
    [InlineData("-p 8080:80 --publish 2222:22", "8080:80 2222:22")]
    [InlineData("--no-network", null)]
    public void A_VM_has_a_card_unless_it_is_told_otherwise(string options, string? ports)
    {
        ParseResult result = Parse(options);

        Assert.Empty(result.Errors);
        VmNetwork? network = VmRunCommand.ReadSpec(result).Network;
        Assert.Equal(ports, network is null ? null : string.Join(' ', network.Ports.Select(port => $"{port.HostPort}:{port.GuestPort}")));
    }

    [Theory]
    [InlineData("--no-network -p 8080:80", "--publish needs the network card that --no-network leaves out; give one of the two.")]
    [InlineData("-p 8080", "'8080' is not that.")]
    [InlineData("-p 8080:80 -p 8080:81", "twice")]
    public void What_does_not_go_together_is_refused_before_anything_is_done(string options, string says) =>
        Assert.Contains(says, Assert.Single(Parse(options).Errors).Message);

    [Fact]
    public void A_VM_is_shown_with_its_card_and_its_ports()
    {
        VmRecord none = Record(null), user = Record(new VmNetwork()), publishes = Record(PublishOption.Read(["8080:80", "2222:22"]));

        Assert.Equal(("none", "[]"), (VmJson.Create(none)["network"]!.GetValue<string>(), VmJson.Create(none)["ports"]!.ToJsonString()));
        Assert.Equal(("user", "[]"), (VmJson.Create(user)["network"]!.GetValue<string>(), VmJson.Create(user)["ports"]!.ToJsonString()));
        Assert.Equal("""[{"host":"127.0.0.1:8080","guest":80},{"host":"127.0.0.1:2222","guest":22}]""", VmJson.Create(publishes)["ports"]!.ToJsonString());
        Assert.Matches("(?s)NETWORK.*256 MiB +none.*256 MiB +user.*256 MiB +127.0.0.1:8080 -> 80, 127.0.0.1:2222 -> 22", VmText.Table([none, user, publishes]));
        Assert.Equal("", VmText.Published(user));
        Assert.Equal("\nPublished on two: 127.0.0.1:8080 -> 80, 127.0.0.1:2222 -> 22", VmText.Published(publishes));
    }

    private static ParseResult Parse(string options) =>
        VmRunCommand.Create().Parse(["web", "--image", "web", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

    private static VmRecord Record(VmNetwork? network) => new()
    {
        Spec = new VmSpec { Name = "web", Image = "web:latest", Vcpus = 1, MemoryMib = 256, Network = network },
        Status = new VmStatus { Node = "two", State = VmState.Running },
    };
}
