using System.Collections.Concurrent;
using Iroh.Base;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Server.Clients;

/// <summary>
/// Who is connected under which id. Of several connections with one id the newest gets what is sent to the id; the others stay, and the
/// newest of them takes its place when it leaves: closing them would make two programs with one key throw each other out for ever.
/// Thread-safe: finding takes no lock.
/// </summary>
/// <typeparam name="TClient">A connection.</typeparam>
internal sealed class ClientRegistry<TClient>
    where TClient : class
{
    /// <summary>Connections of one id at most: a program that forgets to close must not fill the relay. The oldest goes.</summary>
    public const int ConnectionsPerIdMax = 8;

    private readonly Lock _changing = new();
    private readonly ConcurrentDictionary<EndpointId, ClientGroup<TClient>> _groups = new(EndpointIdComparer.Instance);
    private readonly ConcurrentDictionary<EndpointId, ClientGroup<TClient>>.AlternateLookup<ReadOnlySpan<byte>> _byBytes;

    /// <summary>Nobody is connected.</summary>
    public ClientRegistry() => _byBytes = _groups.GetAlternateLookup<ReadOnlySpan<byte>>();

    /// <summary>How many ids are connected.</summary>
    public int Count => _groups.Count;

    /// <summary>The connections of an id, found by its 32 bytes; null if there are none.</summary>
    public ClientGroup<TClient>? Find(ReadOnlySpan<byte> id) => _byBytes.TryGetValue(id, out ClientGroup<TClient>? group) ? group : null;

    /// <summary>Adds a connection, which becomes its id's active one.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="client">The connection.</param>
    /// <param name="displaced">The one that was active before, if there is one.</param>
    /// <param name="surplus">The one that has to go, if there are too many. It is still in the registry.</param>
    public ClientGroup<TClient> Add(EndpointId id, TClient client, out TClient? displaced, out TClient? surplus)
    {
        lock (_changing)
        {
            ClientGroup<TClient> group = _groups.GetOrAdd(id, static id => new ClientGroup<TClient>(id));
            displaced = group.Add(client);
            surplus = group.Count > ConnectionsPerIdMax ? group.Oldest : null;
            return group;
        }
    }

    /// <summary>Takes a connection out.</summary>
    /// <param name="group">Where it was added.</param>
    /// <param name="client">The connection.</param>
    /// <param name="promoted">The one that is active now in its place, if it was active and there is another.</param>
    /// <returns>Whether its id has no connection any more.</returns>
    public bool Remove(ClientGroup<TClient> group, TClient client, out TClient? promoted)
    {
        lock (_changing)
        {
            promoted = group.Remove(client);
            if (group.Count > 0)
                return false;
            _groups.TryRemove(KeyValuePair.Create(group.Id, group));
            return true;
        }
    }
}

/// <summary>The connections of one id. Changed by its registry alone; read by all.</summary>
/// <typeparam name="TClient">A connection.</typeparam>
/// <param name="id">The id.</param>
internal sealed class ClientGroup<TClient>(EndpointId id)
    where TClient : class
{
    /// <summary>
    /// How many destinations are remembered. An endpoint that talks to more over a relay has those beyond find out by time-out that it
    /// left.
    /// </summary>
    public const int DestinationsMax = 4096;

    private readonly Lock _remembering = new();

    // Oldest first, without the active one.
    private List<TClient>? _inactive;
    private volatile TClient? _active;
    private HashSet<EndpointId>? _destinations;

    /// <summary>The id.</summary>
    public EndpointId Id { get; } = id;

    /// <summary>Who gets what is sent to the id; null once all have left.</summary>
    public TClient? Active => _active;

    /// <summary>How many connections there are.</summary>
    public int Count => (_inactive?.Count ?? 0) + (_active is null ? 0 : 1);

    /// <summary>The connection that has been here longest.</summary>
    public TClient? Oldest => _inactive is [var first, ..] ? first : _active;

    /// <summary>Remembers that the id sent something to another.</summary>
    public void AddDestination(EndpointId destination)
    {
        lock (_remembering)
        {
            _destinations ??= new HashSet<EndpointId>(EndpointIdComparer.Instance);
            if (_destinations.Count < DestinationsMax)
                _destinations.Add(destination);
        }
    }

    /// <summary>Whom the id has sent something to; nothing is remembered any more then.</summary>
    public IReadOnlyCollection<EndpointId> TakeDestinations()
    {
        lock (_remembering)
        {
            IReadOnlyCollection<EndpointId> taken = _destinations ?? [];
            _destinations = null;
            return taken;
        }
    }

    /// <summary>Makes a connection the active one.</summary>
    /// <returns>The one that was.</returns>
    internal TClient? Add(TClient client)
    {
        TClient? displaced = _active;
        if (displaced is not null)
            (_inactive ??= []).Add(displaced);
        _active = client;
        return displaced;
    }

    /// <summary>Takes a connection out.</summary>
    /// <returns>The one that has become active.</returns>
    internal TClient? Remove(TClient client)
    {
        if (!ReferenceEquals(_active, client))
        {
            _inactive?.Remove(client);
            return null;
        }

        _active = _inactive is [.., var newest] ? newest : null;
        if (_active is not null)
            _inactive!.RemoveAt(_inactive.Count - 1);
        return _active;
    }
}
