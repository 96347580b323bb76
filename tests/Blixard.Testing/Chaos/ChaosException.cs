namespace Blixard.Testing.Chaos;

/// <summary>The cluster broke a promise; the message says which.</summary>
public sealed class ChaosException : Exception
{
    /// <summary>With a message.</summary>
    public ChaosException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
