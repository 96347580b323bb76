using Microsoft.Extensions.Logging;

namespace Blixard.Node.Tests.Support;

/// <summary>Node logs on stderr when BLIXARD_TEST_LOG is set, else nowhere.</summary>
internal static class TestLog
{
    public static ILoggerFactory Factory { get; } = Environment.GetEnvironmentVariable("BLIXARD_TEST_LOG") is { Length: > 0 }
        ? LoggerFactory.Create(builder => builder.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Information))
        : LoggerFactory.Create(_ => { });
}
