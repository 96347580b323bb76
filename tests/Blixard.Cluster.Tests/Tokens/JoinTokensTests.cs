using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.Cluster.Tokens;
using Blixard.V1;

namespace Blixard.Cluster.Tests.Tokens;

public class JoinTokensTests
{
    [Fact]
    public async Task The_store_holds_the_hash_and_nowhere_the_secret()
    {
        await using var temporary = new TemporaryStore();
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker);
        StoreEntry entry = Assert.Single((await temporary.Store.RangeAsync("")).Entries);
        Assert.Equal($"/tokens/{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(token.Secret.Span))}", entry.Key);
        Assert.Equal(-1, entry.Value.Span.IndexOf(token.Secret.Span));
        Assert.Equal(32, token.Secret.Length);
        Assert.Equal(temporary.Time.GetUtcNow() + TimeSpan.FromHours(1), token.Expires);
    }

    [Fact]
    public async Task Two_tokens_are_different()
    {
        await using var temporary = new TemporaryStore();
        byte[] first = (await temporary.Tokens.CreateAsync(NodeRole.Worker)).Secret.ToArray();
        Assert.NotEqual(first, (await temporary.Tokens.CreateAsync(NodeRole.Worker)).Secret.ToArray());
    }

    [Fact]
    public async Task A_wrong_secret_is_unknown_whatever_its_length()
    {
        await using var temporary = new TemporaryStore();
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker);
        byte[] wrong = token.Secret.ToArray();
        wrong[31] ^= 1;
        foreach (byte[] secret in new[] { wrong, [], new byte[1], new byte[5_000], token.Secret.ToArray()[..31] })
            Assert.Equal(TokenVerdict.Unknown, (await temporary.Tokens.CheckAsync(secret)).Verdict);
    }

    [Fact]
    public async Task An_expired_token_says_so_and_is_then_forgotten()
    {
        await using var temporary = new TemporaryStore();
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker, TimeSpan.FromMinutes(5));
        temporary.Time.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromTicks(1));
        Assert.Equal(TokenVerdict.Good, (await temporary.Tokens.CheckAsync(token.Secret)).Verdict);
        temporary.Time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(TokenVerdict.Expired, (await temporary.Tokens.CheckAsync(token.Secret)).Verdict);
        Assert.Empty((await temporary.Store.RangeAsync("/tokens/")).Entries);
        Assert.Equal(TokenVerdict.Unknown, (await temporary.Tokens.CheckAsync(token.Secret)).Verdict);
    }

    [Fact]
    public async Task Making_a_token_sweeps_out_those_that_have_expired()
    {
        await using var temporary = new TemporaryStore();
        for (int i = 0; i < 5; i++)
            await temporary.Tokens.CreateAsync(NodeRole.Worker, TimeSpan.FromSeconds(1));
        temporary.Time.Advance(TimeSpan.FromSeconds(2));
        await temporary.Tokens.CreateAsync(NodeRole.Worker);
        Assert.Single((await temporary.Store.RangeAsync("/tokens/")).Entries);
    }

    [Fact]
    public async Task A_token_lets_in_as_many_as_it_says_and_no_more()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker, usesMax: 2);
        await temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(2), null);
        await temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(3), null);
        MembershipException refused = await Assert.ThrowsAsync<MembershipException>(
            () => temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(4), null));
        Assert.Equal(MembershipFailure.TokenUsedUp, refused.Failure);
    }

    [Fact]
    public async Task Of_many_joins_at_once_on_one_token_exactly_one_wins()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker);
        Task<Admission>[] joins = [.. Enumerable.Range(2, 8).Select(i => Task.Run(() => temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(i), null)))];
        await ((Task)Task.WhenAll(joins)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        _ = Assert.Single(joins, join => join.IsCompletedSuccessfully);
        Assert.All(
            joins.Where(join => join.IsFaulted),
            join => Assert.Equal(MembershipFailure.TokenUsedUp, Assert.IsType<MembershipException>(join.Exception!.InnerException).Failure));
        Assert.Equal(2, (await temporary.Members.ListAsync()).Members.Count);
    }

    [Fact]
    public async Task Lifetimes_and_uses_outside_their_range_are_refused()
    {
        await using var temporary = new TemporaryStore();
        foreach (TimeSpan lifetime in new[] { TimeSpan.Zero, TimeSpan.FromDays(31), -TimeSpan.FromHours(1) })
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => temporary.Tokens.CreateAsync(NodeRole.Worker, lifetime));
        foreach (int uses in new[] { 0, -1, 1_001 })
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => temporary.Tokens.CreateAsync(NodeRole.Worker, null, uses));
    }
}
