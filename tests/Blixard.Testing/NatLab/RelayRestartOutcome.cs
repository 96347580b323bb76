namespace Blixard.Testing.NatLab;

/// <summary>What came of connections whose only way was a relay that was killed and started again.</summary>
/// <param name="Connections">How many there were when it was killed.</param>
/// <param name="Away">From the end of the killed relay's process until the new one took connections.</param>
/// <param name="StoodStill">
/// For each connection that went on, from the end of the killed relay's process to the answer of what was asked over the connection right
/// then: shortest first.
/// </param>
/// <param name="Problems">Why the others did not go on, one for each.</param>
public sealed record RelayRestartOutcome(int Connections, TimeSpan Away, IReadOnlyList<TimeSpan> StoodStill, IReadOnlyList<string> Problems);
