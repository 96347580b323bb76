namespace Blixard.NatLab.Tests;

/// <summary>The command that is tested.</summary>
internal static class BlixardProgram
{
    /// <summary>It lies beside the tests.</summary>
    public static string Path { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "blixard.dll");
}
