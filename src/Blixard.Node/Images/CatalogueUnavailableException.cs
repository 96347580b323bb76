namespace Blixard.Node.Images;

/// <summary>A catalogue cannot be had on this node now; the text says why to people.</summary>
internal sealed class CatalogueUnavailableException(string message) : IOException(message);
