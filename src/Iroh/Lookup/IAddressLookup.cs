using Iroh.Base;
using Iroh.Dns;

namespace Iroh.Lookup;

/// <summary>
/// A way to find out where endpoints are, to tell others where this one is, or both. All members may be used from any thread,
/// several calls at once.
/// </summary>
public interface IAddressLookup
{
    /// <summary>The service's name for logs and <see cref="LookupResult.Provenance"/>: a few lower-case words joined by '_'.</summary>
    string Name { get; }

    /// <summary>Whether <see cref="ResolveAsync"/> ever finds anything; false for a service that only publishes. Never changes.</summary>
    bool CanResolve => true;

    /// <summary>
    /// Makes <paramref name="record"/> what others find from now on. Returns at once: a service that needs a network does its
    /// work, and repeats it where it failed, on its own. A service that only resolves does nothing.
    /// </summary>
    /// <param name="record">Everything the endpoint knows about itself; the service leaves out what it does not publish.</param>
    /// <param name="cancellationToken">Gives up handing the record over.</param>
    ValueTask PublishAsync(EndpointRecord record, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    /// <summary>
    /// Looks for an endpoint and gives what is found as it is found; several results are to be taken together. Ends without any
    /// when the endpoint is not known.
    /// </summary>
    /// <param name="id">Who is looked for.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="AddressLookupException">The service could not be asked; nothing is known about whether the endpoint is.</exception>
    IAsyncEnumerable<LookupResult> ResolveAsync(EndpointId id, CancellationToken cancellationToken = default);
}
