using Microsoft.Extensions.Logging;

namespace Blixard.Node.Tests.Support;

/// <summary>Node logs on the console when BLIXARD_TEST_LOG is set, else nowhere.</summary>
internal static class TestLog
{
    public static ILoggerFactory Factory { get; } = Environment.GetEnvironmentVariable("BLIXARD_TEST_LOG") is { Length: > 0 }
        ? LoggerFactory.Create(builder => builder
            .AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss.fff "))
            .SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft.AspNetCore.Hosting", LogLevel.Warning))
        : LoggerFactory.Create(_ => { });
}
