namespace Iroh.Relay.Server;

/// <summary>A relay server cannot do what its options say; the message is for people and says what and why.</summary>
public sealed class RelayServerException(string message, Exception? inner = null) : Exception(message, inner);
