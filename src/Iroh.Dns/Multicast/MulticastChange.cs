using Iroh.Base;

namespace Iroh.Dns.Multicast;

/// <summary>What the discovery has to tell: an endpoint was found or its record changed, or it is gone.</summary>
/// <param name="Id">The endpoint.</param>
/// <param name="Record">Its record; null if it said goodbye or was not heard for long.</param>
public readonly record struct MulticastChange(EndpointId Id, EndpointRecord? Record);
