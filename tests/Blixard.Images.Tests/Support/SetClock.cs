namespace Blixard.Images.Tests.Support;

/// <summary>A clock that says what it is set to; its timers run as ever.</summary>
internal sealed class SetClock : TimeProvider
{
    private static readonly DateTimeOffset s_noon = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    /// <summary>How far it is from noon.</summary>
    public TimeSpan AfterNoon { get; set; }

    public override DateTimeOffset GetUtcNow() => s_noon + AfterNoon;
}
