namespace Blixard.Cli.Demo;

/// <summary>Where a node of the demo runs.</summary>
/// <param name="P2p">Its UDP address.</param>
/// <param name="Grpc">Its address for gRPC.</param>
/// <param name="Namespace">The network namespace; null for this machine's own.</param>
/// <param name="Options">Further options of its command.</param>
/// <param name="Variables">Variables added to its environment.</param>
internal sealed record DemoPlace(string P2p, string Grpc, string? Namespace, string[] Options, IReadOnlyDictionary<string, string> Variables)
{
    /// <summary>Loopback.</summary>
    public static DemoPlace Here { get; } = new("127.0.0.1:0", "127.0.0.1:0", null, [], new Dictionary<string, string>());
}
