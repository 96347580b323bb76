using System.Runtime.CompilerServices;
using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Lab;

/// <summary>As <see cref="LabFactAttribute"/>, with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LabTheoryAttribute : TheoryAttribute
{
    public LabTheoryAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = InternetLab.WhyNot();
}
