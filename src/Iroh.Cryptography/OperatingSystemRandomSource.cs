using System.Security.Cryptography;

namespace Iroh.Cryptography;

/// <summary>The operating system's cryptographic generator. Thread-safe.</summary>
public sealed class OperatingSystemRandomSource : RandomSource
{
    /// <summary>The one instance; it has no state of its own.</summary>
    public static OperatingSystemRandomSource Instance { get; } = new();

    private OperatingSystemRandomSource()
    {
    }

    /// <inheritdoc/>
    public override void Fill(Span<byte> destination) => RandomNumberGenerator.Fill(destination);
}
