using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Iroh.Base;
using Iroh.Dns;

namespace Iroh.Lookup;

/// <summary>Several services as one: it publishes to all and asks all at once.</summary>
public sealed class LookupSet : IAddressLookup, IAsyncDisposable
{
    // Results wait here for the reader; the services wait when it is full, so that none runs ahead of whoever dials.
    private const int ResultsWaitingMax = 16;

    private readonly ImmutableArray<IAddressLookup> _services;
    private readonly ImmutableArray<IAddressLookup> _resolvers;

    /// <summary>Joins the services, which then belong to the set.</summary>
    public LookupSet(IEnumerable<IAddressLookup> services)
    {
        _services = [.. services];
        _resolvers = [.. _services.Where(service => service.CanResolve)];
    }

    /// <inheritdoc/>
    public string Name => "lookup_set";

    /// <summary>The services of the set.</summary>
    public IReadOnlyList<IAddressLookup> Services => _services;

    /// <summary>Hands the record to every service; when some fail, still to the others.</summary>
    /// <inheritdoc cref="IAddressLookup.PublishAsync"/>
    public async ValueTask PublishAsync(EndpointRecord record, CancellationToken cancellationToken = default)
    {
        await Task.WhenAll(_services.Select(HandOverAsync)).ConfigureAwait(false);

        async Task HandOverAsync(IAddressLookup service) => await service.PublishAsync(record, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks all services at once and gives each answer as it comes. Whoever stops reading stops the services.</summary>
    /// <inheritdoc cref="IAddressLookup.ResolveAsync"/>
    /// <exception cref="AddressLookupException">No service gave anything, or there is none.</exception>
    public async IAsyncEnumerable<LookupResult> ResolveAsync(
        EndpointId id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var results = Channel.CreateBounded<LookupResult>(ResultsWaitingMax);
        Task<Exception?>[] searches = [.. _resolvers.Select(service => SearchAsync(service, id, results.Writer, stopping.Token))];
        Task completion = CompleteAsync(searches, results.Writer);
        bool found = false;
        try
        {
            await foreach (LookupResult result in results.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                found = true;
                yield return result;
            }
        }
        finally
        {
            await stopping.CancelAsync().ConfigureAwait(false);
            await completion.ConfigureAwait(false);
        }

        if (!found)
            throw Explain(id, await Task.WhenAll(searches).ConfigureAwait(false));
    }

    /// <summary>Disposes the services that can be disposed.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (IAddressLookup service in _services)
        {
            if (service is IAsyncDisposable disposable)
                await disposable.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Moves what one service finds into the common stream.</summary>
    /// <returns>Why the service failed; null if it did not.</returns>
    private static async Task<Exception?> SearchAsync(
        IAddressLookup service, EndpointId id, ChannelWriter<LookupResult> results, CancellationToken stopping)
    {
        // A service that works before its first await must not hold the others up.
        await Task.Yield();
        try
        {
            await foreach (LookupResult result in service.ResolveAsync(id, stopping).ConfigureAwait(false))
                await results.WriteAsync(result, stopping).ConfigureAwait(false);
            return null;
        }
#pragma warning disable CA1031 // One broken service, of whoever wrote it, must not keep the others' answers from the caller.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return exception;
        }
    }

    private static async Task CompleteAsync(Task<Exception?>[] searches, ChannelWriter<LookupResult> results)
    {
        await Task.WhenAll(searches).ConfigureAwait(false);
        results.Complete();
    }

    private AddressLookupException Explain(EndpointId id, Exception?[] failures)
    {
        string who = id.ToShortString();
        if (_resolvers.IsEmpty)
            return new AddressLookupException(id, isNotFound: true, $"Endpoint {who} cannot be looked up: no look-up service is configured. Use a ticket that holds its addresses.");
        string[] reasons =
        [
            .. failures.Select((failure, i) => failure is null or AddressLookupException { IsNotFound: true }
                ? $"{_resolvers[i].Name}: not known"
                : $"{_resolvers[i].Name}: {failure.Message.TrimEnd('.')}"),
        ];
        bool isNotFound = failures.All(failure => failure is null or AddressLookupException { IsNotFound: true });
        return new AddressLookupException(
            id,
            isNotFound,
            $"Endpoint {who} was not found ({string.Join("; ", reasons)}).",
            failures.FirstOrDefault(failure => failure is not null));
    }
}
