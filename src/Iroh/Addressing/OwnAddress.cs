using System.Collections.Immutable;
using System.Net;
using System.Runtime.CompilerServices;
using Iroh.Base;
using Iroh.LocalAddresses;
using Iroh.NetReport;
using Iroh.PortMapping;

namespace Iroh.Addressing;

/// <summary>
/// Where this endpoint is thought to be reachable: put together from the sockets, the machine's interfaces, what the outside has told, and
/// the relay that it is at home with. May be used from any thread.
/// </summary>
internal sealed class OwnAddress
{
    private readonly Lock _lock = new();
    private readonly EndpointId _id;
    private readonly IReadOnlyList<IPEndPoint> _sockets;
    private readonly Action<EndpointAddress> _onChange;
    private IReadOnlyList<InterfaceAddress> _interfaces;
    private ImmutableHashSet<IPEndPoint> _external;
    private OutsideAddresses _outside;
    private RelayUrl? _relay;
    private EndpointAddress _current;
    private TaskCompletionSource _changed = NewSignal();
    private bool _isComplete;

    /// <param name="id">Whose address it is.</param>
    /// <param name="sockets">What the sockets are bound to, with their real ports.</param>
    /// <param name="isV4PortFixed">Whether the user chose the port of the IPv4 socket.</param>
    /// <param name="external">Addresses that the user says lead here.</param>
    /// <param name="interfaces">The machine's addresses.</param>
    /// <param name="onChange">Told of every change, one call at a time, in order; must not block.</param>
    public OwnAddress(
        EndpointId id, IReadOnlyList<IPEndPoint> sockets, bool isV4PortFixed, IEnumerable<IPEndPoint> external,
        IReadOnlyList<InterfaceAddress> interfaces, Action<EndpointAddress> onChange)
    {
        (_id, _sockets, _interfaces, _onChange) = (id, sockets, interfaces, onChange);
        _external = [.. external];
        _outside = new OutsideAddresses { Configured = _external, IsV4PortFixed = isV4PortFixed };
        _current = Select();
    }

    /// <summary>The address now.</summary>
    public EndpointAddress Current
    {
        get
        {
            lock (_lock)
                return _current;
        }
    }

    /// <summary>The machine's interfaces have other addresses.</summary>
    public void SetInterfaces(IReadOnlyList<InterfaceAddress> interfaces) => Change(() => _interfaces = interfaces);

    /// <summary>The outside has told how it sees the sockets.</summary>
    public void SetReport(NetReportResult report) => Change(() => _outside = _outside with { Report = report });

    /// <summary>The gateway forwards a port, or no longer.</summary>
    public void SetMapped(MappedPort? mapped) => Change(() => _outside = _outside with { Mapped = mapped });

    /// <summary>The relay under which others find this endpoint is another.</summary>
    public void SetRelay(RelayUrl? relay) => Change(() => _relay = relay);

    /// <summary>Adds an address that leads here. False if it is there.</summary>
    public bool AddExternal(IPEndPoint address) => SetExternal(external => external.Add(address));

    /// <summary>Takes an external address away. False if it was not there.</summary>
    public bool RemoveExternal(IPEndPoint address) => SetExternal(external => external.Remove(address));

    /// <summary>The address now, and again whenever it changes; ends with <see cref="Complete"/>. A slow reader gets the newest.</summary>
    public async IAsyncEnumerable<EndpointAddress> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        EndpointAddress? last = null;
        while (true)
        {
            (Task changed, EndpointAddress current, bool isComplete) = Look();
            if (!current.Equals(last))
            {
                yield return current;
                last = current;
                continue;
            }

            if (isComplete)
                yield break;
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends all watching.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _isComplete = true;
            _changed.TrySetResult();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private (Task Changed, EndpointAddress Current, bool IsComplete) Look()
    {
        lock (_lock)
            return (_changed.Task, _current, _isComplete);
    }

    private bool SetExternal(Func<ImmutableHashSet<IPEndPoint>, ImmutableHashSet<IPEndPoint>> change)
    {
        bool isOther = false;
        Change(() =>
        {
            ImmutableHashSet<IPEndPoint> before = _external;
            _external = change(before);
            isOther = _external != before;
            _outside = _outside with { Configured = _external };
        });
        return isOther;
    }

    private void Change(Action change)
    {
        lock (_lock)
        {
            change();
            EndpointAddress address = Select();
            if (_isComplete || address.Equals(_current))
                return;
            _current = address;
            _onChange(address);
            TaskCompletionSource changed = _changed;
            _changed = NewSignal();
            changed.SetResult();
        }
    }

    private EndpointAddress Select()
    {
        IEnumerable<TransportAddress> direct = DirectAddressSelection.Select(_sockets, _interfaces, _outside).Select(TransportAddress.Ip);
        return new EndpointAddress(_id, _relay is null ? direct : direct.Append(TransportAddress.Relay(_relay)));
    }
}
