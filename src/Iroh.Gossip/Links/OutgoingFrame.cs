namespace Iroh.Gossip.Links;

/// <summary>A message on its way to a peer.</summary>
/// <param name="Topic">On which stream it goes.</param>
/// <param name="Body">The encoded message.</param>
/// <param name="IsLast">Whether the topic's stream ends with it.</param>
internal readonly record struct OutgoingFrame(TopicId Topic, byte[] Body, bool IsLast);
