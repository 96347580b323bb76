using System.Runtime.CompilerServices;
using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Lab;

/// <summary>A test that needs an internet of namespaces; it is skipped with the reason where there can be none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LabFactAttribute : FactAttribute
{
    public LabFactAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = InternetLab.WhyNot();
}
