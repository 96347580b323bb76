using Blixard.Cluster.Store;

namespace Blixard.Cluster.Tests.Store;

public sealed class FailoverChoiceTests
{
    private readonly FailoverChoice<string> _choice = new();

    [Fact]
    public void The_most_preferred_comes_first_until_it_is_left()
    {
        Assert.Equal(["a", "b", "c"], _choice.Order(["a", "b", "c"]));
        Assert.True(_choice.Leave("a", "b", ["a", "b", "c"]));
        Assert.Equal(["b", "a", "c"], _choice.Order(["a", "b", "c"]));
        Assert.Empty(_choice.Order([]));
    }

    [Fact]
    public void What_is_no_longer_in_use_cannot_be_left_again()
    {
        string[] all = ["a", "b", "c"];
        Assert.True(_choice.Leave("a", "b", all));
        Assert.False(_choice.Leave("a", "c", all));
        Assert.Equal("b", _choice.Order(all)[0]);
        Assert.False(_choice.Leave("b", "b", all));
    }

    [Fact]
    public void After_the_last_comes_the_first_and_after_one_that_is_gone_too()
    {
        string[] all = ["a", "b", "c"];
        Assert.Equal("b", FailoverChoice<string>.Next("a", all));
        Assert.Equal("a", FailoverChoice<string>.Next("c", all));
        Assert.Equal("a", FailoverChoice<string>.Next("gone", all));
        Assert.Equal("a", FailoverChoice<string>.Next("a", ["a"]));
    }

    [Fact]
    public void One_that_is_no_longer_a_candidate_is_not_used()
    {
        _choice.Leave("a", "b", ["a", "b"]);
        Assert.Equal(["a", "c"], _choice.Order(["a", "c"]));
        Assert.Empty(_choice.Better(["a", "c"]));
    }

    [Fact]
    public void It_goes_back_to_a_better_one_only()
    {
        string[] all = ["a", "b", "c"];
        _choice.Leave("a", "b", all);
        _choice.Leave("b", "c", all);
        Assert.Equal(["a", "b"], _choice.Better(all));
        Assert.False(_choice.GoBack("c", all));
        Assert.True(_choice.GoBack("b", all));
        Assert.Equal(["a"], _choice.Better(all));
        Assert.True(_choice.GoBack("a", all));
        Assert.False(_choice.GoBack("b", all));
        Assert.Empty(_choice.Better(all));
        Assert.Empty(_choice.Better([]));
    }
}
