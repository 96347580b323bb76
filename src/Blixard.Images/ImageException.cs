namespace Blixard.Images;

/// <summary>Something about an image or its content failed; the subclasses say what, the text says it to people.</summary>
public abstract class ImageException : Exception
{
    private protected ImageException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
