using System.Runtime.CompilerServices;
using Blixard.V1;
using Iroh.Base;
using Iroh.Lookup;
using EndpointAddress = Iroh.Base.EndpointAddress;

namespace Blixard.Cluster.Membership;

/// <summary>Finds members by what their records say of their addresses. It publishes nothing: each node keeps its own record. Thread-safe.</summary>
/// <param name="members">The members now, by id. Must not block and must not throw.</param>
public sealed class MemberLookup(Func<IReadOnlyDictionary<EndpointId, Member>> members) : IAddressLookup
{
    /// <inheritdoc/>
    public string Name => "members";

    /// <inheritdoc/>
    public async IAsyncEnumerable<LookupResult> ResolveAsync(EndpointId id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        if (members().TryGetValue(id, out Member? member)
            && member.P2PNodeAddr is { } message
            && MemberAddress.TryRead(message, out EndpointAddress? address, out _)
            // A record must not send anybody to another endpoint.
            && address.Id == id
            && address.Addresses.Count > 0)
            yield return new LookupResult(address, Name);
    }
}
