namespace Iroh.Quic;

/// <summary>An operation of this library failed. The derived types say how far the failure reaches: endpoint, connection or stream.</summary>
public abstract class QuicException : IOException
{
    private protected QuicException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>Whether the same operation may succeed later without anybody changing anything.</summary>
    public abstract bool IsTransient { get; }
}
