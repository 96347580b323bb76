using Blixard.Testing.Chaos;

namespace Blixard.Chaos.Tests.Chaos;

public sealed class AcknowledgementsTests
{
    [Theory]
    // A gap inside, one that reaches in from before the span, one that reaches out of it, and a span without any.
    [InlineData(new[] { 1, 2, 3, 8, 9 }, 1, 9, 5)]
    [InlineData(new[] { 1, 8, 9 }, 4, 9, 7)]
    [InlineData(new[] { 1, 2, 9 }, 1, 5, 7)]
    [InlineData(new[] { 1, 2 }, 2, 9, 7)]
    [InlineData(new int[0], 2, 9, 7)]
    [InlineData(new[] { 3, 1, 2 }, 1, 3, 1)]
    public void The_longest_gap_is_measured_from_acknowledgement_to_acknowledgement(int[] times, int from, int to, int longest)
    {
        var acknowledged = new Acknowledgements();
        foreach (int time in times)
            acknowledged.Add(TimeSpan.FromSeconds(time));

        Assert.Equal(TimeSpan.FromSeconds(longest), acknowledged.LongestGap(TimeSpan.FromSeconds(from), TimeSpan.FromSeconds(to)));
    }
}
