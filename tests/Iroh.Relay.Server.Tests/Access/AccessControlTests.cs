using System.Net;
using Iroh.Base;
using Iroh.Relay.Server.Access;

namespace Iroh.Relay.Server.Tests.Access;

public sealed class AccessControlTests
{
    private static readonly EndpointId s_id = SecretKey.Generate().PublicKey;
    private static readonly EndpointList s_listed = new([s_id]);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_allow_list_lets_in_whom_it_names_and_a_deny_list_all_others()
    {
        Assert.True(await AllowsAsync(AccessControl.Allow(s_listed)));
        Assert.False(await AllowsAsync(AccessControl.Allow(new EndpointList([]))));
        Assert.False(await AllowsAsync(AccessControl.Deny(s_listed)));
        Assert.True(await AllowsAsync(AccessControl.Deny(new EndpointList([]))));
    }

    [Fact]
    public async Task Of_several_controls_all_have_to_agree()
    {
        Assert.True(await AllowsAsync(AccessControl.All(AccessControl.Everyone, AccessControl.Allow(s_listed))));
        Assert.False(await AllowsAsync(AccessControl.All(AccessControl.Allow(s_listed), new TokenAccess(["a"]))));
        Assert.True(await AllowsAsync(AccessControl.All(AccessControl.Allow(s_listed), new TokenAccess(["a", "b"])), "b"));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("on", false)]
    [InlineData("one", true)]
    [InlineData("One", false)]
    [InlineData("two", true)]
    public async Task One_of_the_tokens_is_enough(string? token, bool isAllowed) =>
        Assert.Equal(isAllowed, await AllowsAsync(new TokenAccess(["one", "two"]), token));

    [Theory]
    [InlineData(200, "true", true)]
    [InlineData(200, "true\n", false)]
    [InlineData(200, "True", false)]
    [InlineData(200, "false", false)]
    [InlineData(200, "", false)]
    [InlineData(201, "true", false)]
    [InlineData(403, "true", false)]
    public async Task A_service_allows_by_200_and_true_alone(int status, string body, bool isAllowed)
    {
        var handler = new Service(() => Task.FromResult(new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(body) }));
        using var access = new HttpAccess(new Uri("http://access.test/ask"), "letmein", handler: handler);
        Assert.Equal(isAllowed, await AllowsAsync(access));
        HttpRequestMessage asked = Assert.Single(handler.Asked);
        Assert.Equal((HttpMethod.Post, "http://access.test/ask", "Bearer letmein"), (asked.Method, $"{asked.RequestUri}", $"{asked.Headers.Authorization}"));
        Assert.Equal([s_id.ToString()], asked.Headers.GetValues("X-Iroh-NodeId"));
    }

    [Fact]
    public async Task A_service_that_cannot_be_reached_or_does_not_answer_denies_and_says_so()
    {
        using var broken = new HttpAccess(new Uri("http://access.test/"), handler: new Service(() => throw new HttpRequestException("no route")));
        Assert.Contains("cannot be reached", (await DecideAsync(broken, null)).Reason);
        var never = new TaskCompletionSource<HttpResponseMessage>();
        using var slow = new HttpAccess(new Uri("http://access.test/"), timeout: TimeSpan.FromMilliseconds(20), handler: new Service(() => never.Task));
        Assert.Contains("in time", (await DecideAsync(slow, null)).Reason);
    }

    private static async Task<bool> AllowsAsync(AccessControl access, string? token = null) => (await DecideAsync(access, token)).IsAllowed;

    private static ValueTask<AccessDecision> DecideAsync(AccessControl access, string? token) =>
        access.DecideAsync(new AccessRequest(s_id, token, IPAddress.Loopback, 1), Cancel);

    private sealed class Service(Func<Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        public List<HttpRequestMessage> Asked { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked.Add(request);
            return answer().WaitAsync(cancellationToken);
        }
    }
}
