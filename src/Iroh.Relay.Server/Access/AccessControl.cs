using Iroh.Relay.Protocol;

namespace Iroh.Relay.Server.Access;

/// <summary>Decides who may use a relay. Implementations are thread-safe.</summary>
public abstract class AccessControl
{
    /// <summary>Lets everyone in.</summary>
    public static AccessControl Everyone { get; } = new EveryoneAccess();

    /// <summary>Decides about a client that has proved its id.</summary>
    /// <param name="request">Who asks.</param>
    /// <param name="cancellationToken">Fires when the client has gone, or has waited too long.</param>
    /// <returns>An exception counts as a denial without a reason.</returns>
    public abstract ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken);

    /// <summary>Is told that a client that was let in has left. Must not throw.</summary>
    /// <param name="request">What it was let in with.</param>
    public virtual void OnDisconnected(AccessRequest request)
    {
    }

    /// <summary>Lets in whom all of several let in; they are asked in order, up to the first that denies.</summary>
    public static AccessControl All(params IReadOnlyList<AccessControl> controls)
    {
        ArgumentNullException.ThrowIfNull(controls);
        return controls.Count == 1 ? controls[0] : new CombinedAccess([.. controls]);
    }

    /// <summary>Lets in whom a list names.</summary>
    public static AccessControl Allow(EndpointList list) => new ListAccess(list, isAllowList: true);

    /// <summary>Lets in whom a list does not name.</summary>
    public static AccessControl Deny(EndpointList list) => new ListAccess(list, isAllowList: false);

    private sealed class EveryoneAccess : AccessControl
    {
        public override ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken) => new(AccessDecision.Allowed);
    }

    private sealed class ListAccess(EndpointList list, bool isAllowList) : AccessControl
    {
        private readonly EndpointList _list = list ?? throw new ArgumentNullException(nameof(list));

        public override ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken) =>
            new(_list.Contains(request.Id) == isAllowList ? AccessDecision.Allowed : AccessDecision.Denied(RelayHandshake.NotAuthorized));
    }

    private sealed class CombinedAccess(AccessControl[] controls) : AccessControl
    {
        public override async ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken)
        {
            foreach (AccessControl control in controls)
            {
                AccessDecision decision = await control.DecideAsync(request, cancellationToken).ConfigureAwait(false);
                if (!decision.IsAllowed)
                    return decision;
            }

            return AccessDecision.Allowed;
        }

        public override void OnDisconnected(AccessRequest request)
        {
            foreach (AccessControl control in controls)
                control.OnDisconnected(request);
        }
    }
}
