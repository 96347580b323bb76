using Blixard.V1;
using Iroh.Base;

namespace Blixard.Cluster.Membership;

/// <summary>What a node may say of itself; the rules of common.proto.</summary>
public static class NodeRules
{
    private const int NameLengthMax = 63;
    private const int LabelsMax = 64;
    private const int LabelKeyLengthMax = 63;
    private const int LabelValueLengthMax = 253;
    private const int GrpcAddressLengthMax = 300;
    private const int VersionLengthMax = 64;
    private const uint VcpusMax = 4096;
    private const ulong MemoryMibMax = 64UL * 1024 * 1024;

    /// <summary>Whether a node or VM may be called this: 1 to 63 characters of a-z, 0-9 and '-', a letter or digit at both ends.</summary>
    public static bool IsName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length is > 0 and <= NameLengthMax
            && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')
            && name[0] != '-' && name[^1] != '-';
    }

    /// <summary>What is wrong, in words; null if nothing is.</summary>
    /// <param name="node">What a node says of itself.</param>
    /// <param name="address">Where it can be dialled; null when its P2P is off.</param>
    public static string? Check(NodeInfo node, V1.EndpointAddress? address)
    {
        ArgumentNullException.ThrowIfNull(node);
        if (!IsName(node.Name))
            return "a node's name has 1 to 63 characters of a-z, 0-9 and '-', with a letter or digit at both ends";
        if (!EndpointId.TryFromBytes(node.EndpointId.Span, out EndpointId id))
            return "the node's endpoint id is not valid";
        if (node.GrpcAddress.Length > GrpcAddressLengthMax)
            return $"the node's gRPC address is longer than {GrpcAddressLengthMax} characters";
        if (node.Version.Length > VersionLengthMax)
            return $"the node's version is longer than {VersionLengthMax} characters";
        if (node.Role is not (NodeRole.Unspecified or NodeRole.Server or NodeRole.Worker))
            return "the node's role is neither server nor worker";
        if (node.Capacity is { } capacity && (capacity.Vcpus > VcpusMax || capacity.MemoryMib > MemoryMibMax))
            return $"a node offers at most {VcpusMax} virtual CPUs and {MemoryMibMax} MiB of memory";
        if (node.Labels.Count > LabelsMax
            || node.Labels.Any(label => label.Key.Length is 0 or > LabelKeyLengthMax || label.Value.Length > LabelValueLengthMax))
            return $"a node has at most {LabelsMax} labels with keys of 1 to {LabelKeyLengthMax} and values of up to {LabelValueLengthMax} characters";
        if (address is null)
            return node.GrpcAddress.Length == 0 ? "the node can be reached neither by P2P nor by gRPC" : null;
        if (!MemberAddress.TryRead(address, out Iroh.Base.EndpointAddress? read, out string? problem))
            return problem;
        return read.Id == id ? null : "the node's address is that of another endpoint";
    }
}
