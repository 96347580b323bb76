namespace Blixard.Cluster.Placement;

/// <summary>
/// Chooses the node of a VM: a pure function of what is known. The node that was asked for, if it can; otherwise, among the
/// ready nodes that carry the labels and have the room and the ports, the one with the most free memory, ties by name.
/// </summary>
public static class Placer
{
    /// <summary>Decides, with the reason in words in either case.</summary>
    public static PlacementDecision Place(PlacementRequest request, IReadOnlyCollection<PlacementNode> nodes)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(nodes);
        if (request.Node.Length > 0)
        {
            PlacementNode? asked = nodes.FirstOrDefault(node => node.Name == request.Node);
            if (asked is null)
                return new PlacementDecision(null, $"no member is named '{request.Node}'");
            string? obstacle = Obstacle(request, asked);
            return obstacle is null
                ? new PlacementDecision(asked.Name, "asked for by name")
                : new PlacementDecision(null, obstacle);
        }

        if (nodes.Count == 0)
            return new PlacementDecision(null, "the cluster has no nodes");
        PlacementNode? best = nodes
            .Where(node => Obstacle(request, node) is null)
            .OrderByDescending(node => node.FreeMemoryMib)
            .ThenBy(node => node.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        return best is null
            ? new PlacementDecision(null, string.Join("; ", nodes.OrderBy(node => node.Name, StringComparer.Ordinal).Select(node => Obstacle(request, node))))
            : new PlacementDecision(best.Name, $"most free memory ({best.FreeMemoryMib} MiB) of {nodes.Count}");
    }

    private static string? Obstacle(PlacementRequest request, PlacementNode node)
    {
        if (!node.IsReady)
            return $"{node.Name} is not ready";
        foreach ((string key, string value) in request.Labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            if (!node.Labels.TryGetValue(key, out string? has) || has != value)
                return $"{node.Name} lacks the label {key}={value}";
        }

        if (node.FreeMemoryMib < request.MemoryMib)
            return $"{node.Name} has {node.FreeMemoryMib} MiB of memory free, {request.MemoryMib} needed";
        if (node.FreeVcpus < request.Vcpus)
            return $"{node.Name} has {node.FreeVcpus} virtual CPUs free, {request.Vcpus} needed";
        foreach (uint port in request.HostPorts)
        {
            if (node.PublishedPorts.TryGetValue(port, out string? vm))
                return $"{node.Name} publishes port {port} for the VM {vm} already";
        }

        return null;
    }
}
