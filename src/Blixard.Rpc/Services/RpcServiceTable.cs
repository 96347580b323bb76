using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace Blixard.Rpc.Services;

/// <summary>All services of a node, complete and checked. Immutable; used by all transports.</summary>
public sealed class RpcServiceTable
{
    private readonly FrozenDictionary<string, RpcService> _services;

    /// <summary>Checks and collects services.</summary>
    /// <exception cref="InvalidOperationException">A service comes twice, or a method has no handler; the text names it.</exception>
    public RpcServiceTable(IEnumerable<RpcService> services)
    {
        ArgumentNullException.ThrowIfNull(services);
        var byName = new Dictionary<string, RpcService>(StringComparer.Ordinal);
        foreach (RpcService service in services)
        {
            service.RequireComplete();
            if (!byName.TryAdd(service.Name, service))
                throw new InvalidOperationException($"{service.Name} is registered twice");
        }
        _services = byName.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>The services' full names.</summary>
    public IEnumerable<string> Names => _services.Keys.Order(StringComparer.Ordinal);

    internal bool TryFind(
        string service, string method, [NotNullWhen(true)] out BoundMethod? bound, [NotNullWhen(false)] out string? missing)
    {
        bound = null;
        missing = null;
        if (!_services.TryGetValue(service, out RpcService? found))
            missing = $"there is no service {Shown(service)}";
        else if (!found.Methods.TryGetValue(method, out bound))
            missing = $"{found.Name} has no method {Shown(method)}";
        return missing is null;
    }

    // Names from the wire go back to the caller and into logs: not more of them than a name needs.
    private static string Shown(string name) => name.Length <= 128 ? $"'{name}'" : $"'{name[..128]}...'";
}
