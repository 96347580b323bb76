namespace Blixard.Testing.NatLab;

/// <summary>One end of a cable: an interface in a namespace.</summary>
internal readonly record struct LabEnd(string Namespace, string Device);
