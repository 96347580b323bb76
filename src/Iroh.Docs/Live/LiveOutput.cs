using Iroh.Base;

namespace Iroh.Docs.Live;

/// <summary>What <see cref="LiveState"/> wants done.</summary>
internal abstract record LiveOutput
{
    private LiveOutput()
    {
    }

    /// <summary>Sync with a peer, once, and tell <see cref="LiveState.OnSynced"/>.</summary>
    public sealed record Dial(EndpointId Peer) : LiveOutput;

    /// <summary>Tell the neighbors which the newest entries are.</summary>
    public sealed record SendHeads : LiveOutput;
}
