using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Paths;

public class PathValidatorTests
{
    private readonly PathValidator _validator = new(isValidated: false);

    [Fact]
    public void An_answer_to_any_remembered_challenge_validates_and_tells_whether_that_was_expanded()
    {
        _validator.Begin();
        Assert.True(_validator.WantsChallenge);
        _validator.OnChallengeSent(11, isExpanded: true);
        Assert.False(_validator.WantsChallenge);
        _validator.OnTimeout();
        Assert.True(_validator.WantsChallenge);
        _validator.OnChallengeSent(22, isExpanded: false);

        Assert.False(_validator.OnResponse(33, out _));
        Assert.True(_validator.OnResponse(11, out bool wasExpanded));
        Assert.True(wasExpanded);
        Assert.True(_validator.IsValidated);
        Assert.False(_validator.IsActive);
    }

    [Fact]
    public void Nothing_is_validated_by_answers_that_were_not_asked_for()
    {
        Assert.False(_validator.OnResponse(0, out _));
        _validator.Begin();
        Assert.False(_validator.OnResponse(0, out _));
        _validator.OnChallengeSent(5, isExpanded: true);
        _validator.Stop();
        Assert.False(_validator.OnResponse(5, out _));
        Assert.False(_validator.IsValidated);
    }

    [Fact]
    public void Only_the_newest_challenges_are_remembered()
    {
        _validator.Begin();
        for (ulong data = 1; data <= PathValidator.ChallengesMax + 1; data++)
        {
            _validator.OnChallengeSent(data, isExpanded: true);
            _validator.OnTimeout();
        }

        Assert.False(_validator.OnResponse(1, out _));
        Assert.True(_validator.OnResponse(2, out _));
    }

    [Fact]
    public void A_known_address_stays_validated_while_it_is_probed_again()
    {
        var validator = new PathValidator(isValidated: true);
        validator.Begin();
        Assert.True(validator.IsValidated);
        validator.Stop();
        Assert.True(validator.IsValidated);
    }
}

public class PathResponsesTests
{
    private static readonly FourTuple A = Address(1);
    private static readonly FourTuple B = Address(2);
    private readonly PathResponses _responses = new();

    [Fact]
    public void An_answer_is_taken_once_on_the_address_of_its_challenge()
    {
        _responses.Add(A, 1, 1200);
        Assert.True(_responses.IsOwedOn(A));
        Assert.False(_responses.TryTake(B, out _));
        Assert.True(_responses.TryTake(A, out ulong data));
        Assert.Equal(1UL, data);
        Assert.False(_responses.TryTake(A, out _));
    }

    [Fact]
    public void The_newest_challenge_of_an_address_is_answered()
    {
        _responses.Add(A, 1, 1200);
        _responses.Add(A, 2, 1200);
        Assert.Equal(1, _responses.Count);
        Assert.True(_responses.TryTake(A, out ulong data));
        Assert.Equal(2UL, data);
    }

    [Fact]
    public void A_flood_of_addresses_pushes_out_the_oldest()
    {
        for (ushort port = 1; port <= PathResponses.CountMax + 1; port++)
            _responses.Add(Address(port), port, 1200);
        Assert.Equal(PathResponses.CountMax, _responses.Count);
        Assert.False(_responses.IsOwedOn(A));
        Assert.True(_responses.TryPeekElsewhere(B, out FourTuple address, out int sizeMax));
        Assert.Equal(1200, sizeMax);
        Assert.Equal(Address(3), address);
    }

    private static FourTuple Address(ushort port) => new(default, NetworkAddress.FromIPv4([10, 0, 0, 1], port));
}
