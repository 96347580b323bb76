using Blixard.Testing.Linearizability;
using Iroh.Cryptography;
using static Blixard.Testing.Linearizability.LinearizabilityVerdict;

namespace Blixard.Cluster.Tests.Linearizability;

public sealed class LinearizabilityCheckerTests
{
    private static readonly RegisterCall.Read s_read = new();
    private static readonly RegisterCall.Delete s_delete = new();

    private readonly List<RegisterOperation> _history = [];

    [Fact]
    public void No_operations_are_a_linearizable_history() => Assert.IsType<Linearizable>(Check());

    [Fact]
    public void What_one_client_does_after_the_other_is_linearizable()
    {
        Did(0, 1, s_read, Read(null));
        Did(2, 3, Write("a"), Done);
        Did(4, 5, s_read, Read("a"));
        Did(6, 7, Swap("a", "b"), Done);
        Did(8, 9, Swap("a", "c"), RegisterAnswer.Refused);
        Did(10, 11, s_delete, Done);
        Did(12, 13, s_read, Read(null));
        Did(14, 15, Swap(null, "d"), Done);
        Did(16, 17, s_read, Read("d"));
        Assert.IsType<Linearizable>(Check());
    }

    [Fact]
    public void Concurrent_reads_may_see_a_write_or_not()
    {
        Did(0, 1, Write("a"), Done);
        Did(2, 9, Write("b"), Done);
        Did(3, 4, s_read, Read("a"));
        Did(5, 6, s_read, Read("b"));
        Assert.IsType<Linearizable>(Check());
    }

    [Fact]
    public void Operations_that_overlap_may_take_effect_in_the_other_order()
    {
        Did(0, 5, Write("a"), Done);
        Did(1, 4, Write("b"), Done);
        Did(6, 7, s_read, Read("a"));
        Assert.IsType<Linearizable>(Check());
    }

    [Fact]
    public void A_stale_read_is_caught()
    {
        Did(0, 1, Write("a"), Done);
        Did(2, 3, Write("b"), Done);
        Did(4, 5, s_read, Read("a"));
        Assert.Contains("read k -> a", Assert.IsType<Violation>(Check()).ToString());
    }

    [Fact]
    public void Reads_that_go_back_in_time_while_a_write_is_under_way_are_caught()
    {
        Did(0, 1, Write("a"), Done);
        Did(2, 9, Write("b"), Done);
        Did(3, 4, s_read, Read("b"));
        Did(5, 6, s_read, Read("a"));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_lost_update_is_caught()
    {
        Did(0, 1, Write("0"), Done);
        Did(2, 5, Swap("0", "1"), Done);
        Did(3, 6, Swap("0", "2"), Done);
        Did(7, 8, s_read, Read("2"));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void Two_swaps_that_both_created_the_key_are_caught()
    {
        Did(0, 3, Swap(null, "1"), Done);
        Did(1, 2, Swap(null, "2"), Done);
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_swap_that_was_refused_although_it_had_to_succeed_is_caught()
    {
        Did(0, 1, Write("a"), Done);
        Did(2, 3, Swap("a", "b"), RegisterAnswer.Refused);
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_value_that_was_never_written_is_caught()
    {
        Did(0, 1, Write("a"), Done);
        Did(2, 3, s_read, Read("z"));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_read_of_a_write_that_had_not_begun_is_caught()
    {
        Did(0, 1, s_read, Read("a"));
        Did(2, 3, Write("a"), Done);
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_resurrection_after_a_delete_is_caught()
    {
        Did(0, 1, Write("a"), Done);
        Did(2, 3, s_delete, Done);
        Did(4, 5, s_read, Read("a"));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_lost_acknowledged_write_is_caught()
    {
        Did(0, 1, Write("a"), Done);
        Did(2, 3, s_read, Read(null));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_write_without_an_answer_may_never_happen_or_happen_late_but_not_twice()
    {
        Did(0, 1, Write("a"), Done);
        Unanswered(2, Write("b"));
        Did(3, 4, s_read, Read("a"));
        Assert.IsType<Linearizable>(Check());
        Did(5, 6, s_read, Read("b"));
        Assert.IsType<Linearizable>(Check());
        Did(7, 8, Write("c"), Done);
        Did(9, 10, s_read, Read("b"));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_write_without_an_answer_does_not_happen_before_it_was_called()
    {
        Did(0, 1, s_read, Read("b"));
        Unanswered(2, Write("b"));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void A_write_without_an_answer_that_nobody_read_may_explain_a_swap_that_was_refused()
    {
        Did(0, 1, Write("a"), Done);
        Unanswered(2, Write("b"));
        Did(3, 4, Swap("a", "c"), RegisterAnswer.Refused);
        Assert.IsType<Linearizable>(Check());
        Did(5, 6, s_read, Read("a"));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void Writes_without_answers_may_build_upon_each_other()
    {
        Unanswered(0, Write("a"));
        Unanswered(1, Swap("a", "b"));
        Unanswered(2, Swap("b", "c"));
        Unanswered(3, s_delete);
        Did(4, 5, s_read, Read("c"));
        Did(6, 7, s_read, Read(null));
        Assert.IsType<Linearizable>(Check());
        Did(8, 9, s_read, Read("b"));
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void Registers_are_checked_each_by_itself_and_the_bad_one_is_named()
    {
        Did(0, 1, Write("a"), Done);
        _history.Add(new RegisterOperation(0, "other", s_read, Read("a"), 2, 3));
        Assert.Equal("other", Assert.IsType<Violation>(Check()).Key);
    }

    [Fact]
    public void A_search_that_exceeds_its_limit_is_undecided()
    {
        for (int i = 0; i < 12; i++)
            Did(i, 100 + i, Write($"{i}"), Done);
        Did(200, 201, s_read, Read("z"));
        Assert.Equal(50 + 1, Assert.IsType<Undecided>(LinearizabilityChecker.Check(_history, statesMax: 50)).States);
        Assert.IsType<Violation>(Check());
    }

    [Fact]
    public void An_operation_that_ends_before_it_begins_is_refused()
    {
        Did(3, 3, s_read, Read(null));
        Assert.Throws<ArgumentException>(() => Check());
    }

    [Fact]
    public void Random_histories_of_a_sequential_register_are_accepted_in_whatever_order_they_are_given()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            LinearizabilityVerdict verdict = LinearizabilityChecker.Check(Enumerable.Reverse(RandomHistory.Create(seed, clients: 6, operations: 120)));
            Assert.True(verdict is Linearizable, $"seed {seed}: {verdict}");
        }
    }

    [Fact]
    public void Random_histories_with_one_answer_changed_to_what_was_never_written_are_refused()
    {
        for (ulong seed = 1; seed <= 100; seed++)
        {
            List<RegisterOperation> history = RandomHistory.Create(seed, clients: 4, operations: 80);
            var reads = history.Where(operation => operation is { Call: RegisterCall.Read, Answer: not null }).ToList();
            RegisterOperation changed = reads[(int)new SeededRandomSource(seed).NextBelow((ulong)reads.Count)];
            history[history.IndexOf(changed)] = changed with { Answer = Read("never") };
            LinearizabilityVerdict verdict = LinearizabilityChecker.Check(history);
            Assert.True(verdict is Violation, $"seed {seed}: {verdict}");
        }
    }

    [Fact]
    public void The_search_finds_what_trying_every_order_finds()
    {
        int refused = 0;
        for (ulong seed = 1; seed <= 1_500; seed++)
        {
            List<RegisterOperation> history = RandomHistory.CreateArbitrary(seed, operations: 5);
            bool expected = RandomHistory.IsExplainedBySomeOrder(history, null);
            LinearizabilityVerdict verdict = LinearizabilityChecker.Check(history);
            Assert.True(expected == verdict is Linearizable, $"seed {seed}: {verdict}{Environment.NewLine}{string.Join(Environment.NewLine, history)}");
            refused += expected ? 0 : 1;
        }

        // Both answers were put to the test.
        Assert.InRange(refused, 200, 1_300);
    }

    private static RegisterAnswer Done => RegisterAnswer.Done;

    private static RegisterAnswer Read(string? value) => RegisterAnswer.Of(value);

    private static RegisterCall.Write Write(string value) => new(value);

    private static RegisterCall.Swap Swap(string? expected, string value) => new(expected, value);

    private void Did(long begun, long ended, RegisterCall call, RegisterAnswer answer) =>
        _history.Add(new RegisterOperation(_history.Count, "k", call, answer, begun, ended));

    private void Unanswered(long begun, RegisterCall call) =>
        _history.Add(new RegisterOperation(_history.Count, "k", call, null, begun, long.MaxValue));

    private LinearizabilityVerdict Check() => LinearizabilityChecker.Check(_history);
}
