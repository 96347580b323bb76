namespace Iroh.Quic.Protocol.Endpoint;

/// <summary>Names a connection within one endpoint. Never used twice.</summary>
public readonly record struct ConnectionHandle(ulong Value);
