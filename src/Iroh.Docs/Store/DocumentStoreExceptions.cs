namespace Iroh.Docs.Store;

/// <summary>A document store could not be read, written or opened; the message says why and what to do.</summary>
/// <param name="message">For the user.</param>
/// <param name="innerException">What the disk or the database said.</param>
public class DocumentStoreException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>Another process has the document store open.</summary>
/// <param name="directory">The store.</param>
/// <param name="innerException">What the operating system said.</param>
public sealed class DocumentStoreInUseException(string directory, Exception? innerException = null) : DocumentStoreException(
    $"The documents in {directory} are in use by another process. Stop it, or give this one another directory.", innerException);

/// <summary>The document is not here.</summary>
/// <param name="document">Which.</param>
public sealed class DocumentMissingException(NamespaceId document) : Exception(
    $"There is no document {document.ToShortString()} here. Import it with a ticket first.")
{
    /// <summary>Which document is missing.</summary>
    public NamespaceId Document { get; } = document;
}
