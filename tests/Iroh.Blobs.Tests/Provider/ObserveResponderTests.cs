using Iroh.Blobs.Provider;

namespace Iroh.Blobs.Tests.Provider;

public sealed class ObserveResponderTests
{
    [Theory]
    [InlineData(0, 50)]
    [InlineData(1, 50)]
    [InlineData(4, 50)]
    [InlineData(6, 75)]
    [InlineData(8, 100)]
    [InlineData(80, 1000)]
    [InlineData(int.MaxValue, 1000)]
    public void Many_observers_hear_less_often_and_never_cease_to(int observers, int milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), ObserveResponder.Interval(TimeSpan.FromMilliseconds(50), observers));

    [Fact]
    public void Reports_at_once_stay_at_once() => Assert.Equal(TimeSpan.Zero, ObserveResponder.Interval(TimeSpan.Zero, 1000));
}
