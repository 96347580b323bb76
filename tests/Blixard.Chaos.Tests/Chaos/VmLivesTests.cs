using Blixard.Testing.Chaos;

namespace Blixard.Chaos.Tests.Chaos;

public sealed class VmLivesTests
{
    [Fact]
    public void A_record_tells_where_and_how_long_a_VM_ran()
    {
        Assert.Equal(
            new VmLife("web", "a", TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(5), HasEnded: true),
            VmLives.TryParse("1000000 start web a\n3000000 alive\n5000000 end\n"));
        Assert.Equal(
            new VmLife("web", "a", TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(3), HasEnded: false),
            VmLives.TryParse("1000000 start web a\n3000000 alive\n50000"));
        Assert.Null(VmLives.TryParse("1000000 start we"));
    }

    [Fact]
    public void A_VM_that_runs_twice_at_any_moment_is_found()
    {
        VmLife first = Life("web", 1, 10), inside = Life("web", 2, 3), late = Life("web", 9, 12), after = Life("web", 13, 14), other = Life("db", 2, 12);

        Assert.Empty(VmLives.Overlaps([first, after, other]));
        Assert.Equal([(first, inside)], VmLives.Overlaps([inside, first, after]));
        Assert.Equal([(first, inside), (first, late)], VmLives.Overlaps([first, inside, late, after, other]));
    }

    private static VmLife Life(string vm, int from, int to) => new(vm, "a", TimeSpan.FromSeconds(from), TimeSpan.FromSeconds(to), HasEnded: true);
}
