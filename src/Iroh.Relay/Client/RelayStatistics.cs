namespace Iroh.Relay.Client;

/// <summary>What went over relays since the beginning: QUIC's datagrams without the relay protocol's own bytes.</summary>
/// <param name="DatagramsSent">Datagrams handed to the network.</param>
/// <param name="BytesSent">Bytes in datagrams that were taken for sending.</param>
/// <param name="DatagramsReceived">Datagrams received.</param>
/// <param name="BytesReceived">Bytes in them.</param>
/// <param name="DroppedQueueFull">Datagrams dropped because too many waited.</param>
/// <param name="DroppedNotConnected">Datagrams dropped because they waited too long for a connection, or it broke.</param>
public readonly record struct RelayStatistics(
    long DatagramsSent, long BytesSent, long DatagramsReceived, long BytesReceived, long DroppedQueueFull, long DroppedNotConnected);
