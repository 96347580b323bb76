using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Protocol;

public sealed class RelayVersionTests
{
    [Theory]
    [InlineData("iroh-relay-v2, iroh-relay-v1", RelayVersion.V2)]
    [InlineData("iroh-relay-v1,iroh-relay-v2", RelayVersion.V2)]
    [InlineData("iroh-relay-v1", RelayVersion.V1)]
    [InlineData("chat , iroh-relay-v1\t", RelayVersion.V1)]
    public void A_server_chooses_the_highest_version_that_both_know(string offer, RelayVersion version)
    {
        Assert.True(RelayVersions.TryChoose(offer, out RelayVersion chosen));
        Assert.Equal(version, chosen);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("iroh-relay-v3")]
    [InlineData("IROH-RELAY-V2")]
    [InlineData("iroh-relay-v2;iroh-relay-v1")]
    public void A_server_refuses_an_offer_without_a_known_version(string? offer) => Assert.False(RelayVersions.TryChoose(offer, out _));

    [Theory]
    [InlineData("iroh-relay-v2, iroh-relay-v1")]
    [InlineData("")]
    [InlineData(null)]
    public void A_client_takes_exactly_one_name(string? answer) => Assert.False(RelayVersions.TryParse(answer, out _));

    [Theory]
    [InlineData(RelayVersion.V1)]
    [InlineData(RelayVersion.V2)]
    public void A_name_is_read_back(RelayVersion version)
    {
        Assert.True(RelayVersions.TryParse(version.ToSubprotocol(), out RelayVersion read));
        Assert.Equal(version, read);
    }
}
