using System.Runtime.CompilerServices;
using Blixard.Testing.Namespaces;

namespace Blixard.Chaos.Tests.Namespaces;

/// <summary>A test that needs network namespaces; it is skipped with the reason where there can be none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LabFactAttribute : FactAttribute
{
    public LabFactAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = NetworkLab.WhyNot();
}
