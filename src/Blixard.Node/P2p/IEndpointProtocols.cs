using Iroh;
using Iroh.Protocols;

namespace Blixard.Node.P2p;

/// <summary>What speaks protocols of its own on the node's endpoint. The endpoint may close and be bound again: then it is attached anew.</summary>
internal interface IEndpointProtocols
{
    /// <summary>The endpoint is there.</summary>
    /// <returns>Who serves which protocol on it.</returns>
    IReadOnlyDictionary<string, IProtocolHandler> Attach(IrohEndpoint endpoint);

    /// <summary>The endpoint is about to go.</summary>
    ValueTask DetachAsync();
}
