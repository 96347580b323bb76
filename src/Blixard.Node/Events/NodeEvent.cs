using System.Text.Json.Serialization;

namespace Blixard.Node.Events;

/// <summary>Something that a person who watches a node wants to know. As JSON (<see cref="NodeEventJson"/>) each is an object
/// whose "event" names it: <c>{"event":"ready","name":…}</c>.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(ReadyEvent), "ready")]
[JsonDerivedType(typeof(P2pEvent), "p2p")]
[JsonDerivedType(typeof(PeerLinkedEvent), "peer-linked")]
[JsonDerivedType(typeof(PeerLostEvent), "peer-lost")]
[JsonDerivedType(typeof(PeerPathEvent), "peer-path")]
[JsonDerivedType(typeof(MemberJoinedEvent), "member-joined")]
[JsonDerivedType(typeof(MemberLeftEvent), "member-left")]
[JsonDerivedType(typeof(NodeLostEvent), "node-lost")]
[JsonDerivedType(typeof(NodeBackEvent), "node-back")]
[JsonDerivedType(typeof(LeaderChangedEvent), "leader-changed")]
[JsonDerivedType(typeof(EtcdEvent), "etcd")]
[JsonDerivedType(typeof(VmStateEvent), "vm-state")]
[JsonDerivedType(typeof(ImageAddedEvent), "image-added")]
[JsonDerivedType(typeof(WarningEvent), "warning")]
[JsonDerivedType(typeof(StoppedEvent), "stopped")]
public abstract record NodeEvent;

/// <summary>The node serves; the first event.</summary>
/// <param name="Name">Its name.</param>
/// <param name="EndpointId">Its endpoint id in hex; null while its key cannot be read.</param>
/// <param name="Grpc">Where others reach its gRPC, "host:port"; null while it is not served.</param>
/// <param name="Http">Where metrics and the dashboard are served; null if they are not.</param>
/// <param name="Api">The path of the local API's socket.</param>
/// <param name="ClusterId">The cluster's id.</param>
/// <param name="Role">"server" or "worker".</param>
public sealed record ReadyEvent(
    string Name, string? EndpointId, string? Grpc, string? Http, string Api, string ClusterId, string Role) : NodeEvent;

/// <summary>The state of the node's own P2P endpoint changed.</summary>
/// <param name="State">"off", "starting", "ready" or "degraded".</param>
/// <param name="Reason">Why it is not ready; empty if it is.</param>
public sealed record P2pEvent(string State, string Reason) : NodeEvent;

/// <summary>The P2P link to a member is ready.</summary>
/// <param name="Name">The member.</param>
/// <param name="EndpointId">Its id in hex.</param>
/// <param name="Remote">Its address.</param>
public sealed record PeerLinkedEvent(string Name, string EndpointId, string Remote) : NodeEvent;

/// <summary>The P2P link to a member is lost; it is dialled again.</summary>
/// <param name="Name">The member.</param>
/// <param name="EndpointId">Its id in hex.</param>
/// <param name="Reason">Why.</param>
public sealed record PeerLostEvent(string Name, string EndpointId, string Reason) : NodeEvent;

/// <summary>The P2P link to a member takes another way.</summary>
/// <param name="Name">The member.</param>
/// <param name="EndpointId">Its id in hex.</param>
/// <param name="Path">"direct" or "relay".</param>
/// <param name="Remote">Its address, or the URL of the relay.</param>
/// <param name="AfterMs">Milliseconds since the link's connection stood; 0 for its first way.</param>
public sealed record PeerPathEvent(string Name, string EndpointId, string Path, string Remote, double AfterMs) : NodeEvent;

/// <summary>A node joined the cluster.</summary>
/// <param name="Name">Its name.</param>
/// <param name="EndpointId">Its id in hex.</param>
public sealed record MemberJoinedEvent(string Name, string EndpointId) : NodeEvent;

/// <summary>A node left the cluster.</summary>
/// <param name="Name">Its name.</param>
/// <param name="EndpointId">Its id in hex.</param>
public sealed record MemberLeftEvent(string Name, string EndpointId) : NodeEvent;

/// <summary>The lease of a member has ended. Its VMs that may move go to other nodes, the others wait for it.</summary>
/// <param name="Name">The member.</param>
/// <param name="EndpointId">Its id in hex.</param>
/// <param name="Since">When the loss was recorded.</param>
public sealed record NodeLostEvent(string Name, string EndpointId, DateTimeOffset Since) : NodeEvent;

/// <summary>A member that was lost renews its lease again.</summary>
/// <param name="Name">The member.</param>
/// <param name="EndpointId">Its id in hex.</param>
public sealed record NodeBackEvent(string Name, string EndpointId) : NodeEvent;

/// <summary>Another server leads, or none; seen by servers of a cluster whose engine is etcd.</summary>
/// <param name="Name">The leader; empty while there is none.</param>
/// <param name="EndpointId">Its id in hex; null while there is none.</param>
/// <param name="Term">The Raft term.</param>
public sealed record LeaderChangedEvent(string Name, string? EndpointId, ulong Term) : NodeEvent;

/// <summary>The state of this server's own etcd changed.</summary>
/// <param name="State">"starting", "serving", "backing-off", "removed" or "stopped".</param>
/// <param name="Reason">Why, for people; may be empty.</param>
public sealed record EtcdEvent(string State, string Reason) : NodeEvent;

/// <summary>A VM of this node entered a state.</summary>
/// <param name="Name">The VM.</param>
/// <param name="State">"created", "starting", "running", "stopping", "stopped" or "failed".</param>
/// <param name="Reason">Why, for people.</param>
public sealed record VmStateEvent(string Name, string State, string Reason) : NodeEvent;

/// <summary>An image is complete on this node.</summary>
/// <param name="Name">Its name and tag.</param>
/// <param name="Hash">Its hash in hex.</param>
public sealed record ImageAddedEvent(string Name, string Hash) : NodeEvent;

/// <summary>Something is not as it should be, and the node goes on.</summary>
/// <param name="Message">What, for people.</param>
public sealed record WarningEvent(string Message) : NodeEvent;

/// <summary>The node ends; the last event.</summary>
/// <param name="Reason">Why, for people.</param>
public sealed record StoppedEvent(string Reason) : NodeEvent;

/// <summary>The JSON form of events: property names in camel case.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(NodeEvent))]
public sealed partial class NodeEventJson : JsonSerializerContext;
