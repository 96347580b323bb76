using Blixard.V1;
using Google.Protobuf;
using Iroh.Base;
using MemberAddress = Blixard.Cluster.Membership.MemberAddress;

namespace Blixard.Node.Membership;

/// <summary>What this node says of itself at the moment. Thread-safe.</summary>
internal sealed class NodeSelf(string name, bool isServer, NodeCapacity capacity, IReadOnlyDictionary<string, string> labels)
{
    private readonly Lock _lock = new();
    private EndpointId? _id;
    private Iroh.Base.EndpointAddress? _p2pAddress;
    private string _grpcAddress = "";
    private P2pStatus _p2p = new() { State = P2pState.Starting };

    /// <summary>Raised, on any thread, when something that the member record holds has changed.</summary>
    public event Action? RecordChanged;

    public string Name => name;

    public bool IsServer => isServer;

    /// <summary>Null while the key cannot be read and no id is remembered.</summary>
    public EndpointId? Id
    {
        get => Read(() => _id);
        set => Change(() => _id = value);
    }

    /// <summary>Where it can be dialled by key; null while P2P is not ready.</summary>
    public Iroh.Base.EndpointAddress? P2pAddress
    {
        get => Read(() => _p2pAddress);
        set => Change(() => _p2pAddress = value);
    }

    /// <summary>Where it serves gRPC, "host:port"; "" while it does not.</summary>
    public string GrpcAddress
    {
        get => Read(() => _grpcAddress);
        set => Change(() => _grpcAddress = value);
    }

    /// <summary>The state of its own P2P endpoint.</summary>
    public P2pStatus P2p
    {
        get => Read(() => _p2p.Clone());
        set
        {
            lock (_lock)
                _p2p = value;
        }
    }

    /// <summary>The node's part of a record. Needs <see cref="Id"/>.</summary>
    public NodeInfo ToInfo()
    {
        lock (_lock)
        {
            var info = new NodeInfo
            {
                Name = name,
                EndpointId = ByteString.CopyFrom(_id!.Value.Span),
                GrpcAddress = _grpcAddress,
                Capacity = capacity,
                Role = isServer ? NodeRole.Server : NodeRole.Worker,
                Version = typeof(NodeSelf).Assembly.GetName().Version?.ToString(3) ?? "",
            };
            foreach ((string key, string value) in labels)
                info.Labels[key] = value;
            return info;
        }
    }

    /// <summary>The address part of a record; null while P2P is not ready.</summary>
    public V1.EndpointAddress? ToAddress() => P2pAddress is { } address ? MemberAddress.ToMessage(address) : null;

    private T Read<T>(Func<T> read)
    {
        lock (_lock)
            return read();
    }

    private void Change(Action change)
    {
        lock (_lock)
            change();
        RecordChanged?.Invoke();
    }
}
