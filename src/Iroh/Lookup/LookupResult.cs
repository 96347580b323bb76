using Iroh.Base;

namespace Iroh.Lookup;

/// <summary>One answer of a look-up.</summary>
/// <param name="Address">Who was looked for, and where they may be; never without an address or user data.</param>
/// <param name="Provenance">The <see cref="IAddressLookup.Name"/> of the service that gave it.</param>
/// <param name="UpdatedAt">When the endpoint said so, by its own clock; null where the service cannot tell.</param>
/// <param name="UserData">The endpoint's own text; null if there is none.</param>
public sealed record LookupResult(EndpointAddress Address, string Provenance, DateTimeOffset? UpdatedAt = null, string? UserData = null);
