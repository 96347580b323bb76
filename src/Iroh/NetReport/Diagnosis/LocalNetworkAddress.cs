using System.Net;

namespace Iroh.NetReport.Diagnosis;

/// <summary>An address of this machine that others may be told.</summary>
/// <param name="Address">The address.</param>
/// <param name="Interface">The name of its interface.</param>
public sealed record LocalNetworkAddress(IPAddress Address, string Interface);
