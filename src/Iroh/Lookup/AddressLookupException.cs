using Iroh.Base;

namespace Iroh.Lookup;

/// <summary>A look-up that gave nothing. The message says what was asked and why there was no answer.</summary>
public sealed class AddressLookupException : Exception
{
    /// <summary>Says what was looked for and what happened.</summary>
    /// <param name="id">Who was looked for.</param>
    /// <param name="isNotFound">See <see cref="IsNotFound"/>.</param>
    /// <param name="message">For people.</param>
    /// <param name="inner">What the transport said.</param>
    public AddressLookupException(EndpointId id, bool isNotFound, string message, Exception? inner = null)
        : base(message, inner)
    {
        Id = id;
        IsNotFound = isNotFound;
    }

    /// <summary>Who was looked for.</summary>
    public EndpointId Id { get; }

    /// <summary>True: every service answered that it does not know the endpoint. False: at least one could not be asked.</summary>
    public bool IsNotFound { get; }
}
