using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>The cables of a lab: the kernel's own, or <see cref="LabLink"/>s where a way has conditions. One owner.</summary>
internal sealed class LabCables : IAsyncDisposable
{
    private readonly Dictionary<LabEnd, (LabEnd Other, LabLink? Link)> _cables = [];

    /// <summary>The end that a cable's near end leads to.</summary>
    public LabEnd OtherEndOf(LabEnd near) => _cables[near].Other;

    /// <summary>The cable at an end, if it has conditions.</summary>
    public LabLink? LinkAt(LabEnd near) => _cables[near].Link;

    /// <summary>Makes both interfaces and a cable between them, and sets them up.</summary>
    public async Task ConnectAsync(LabEnd near, LabEnd far, LinkConditions? conditions)
    {
        LabLink? link = null;
        if (conditions is not null)
            link = await LabLink.CreateAsync(near, far, conditions).ConfigureAwait(false);
        else
            await LabCommand.RunAsync("ip", ["-n", near.Namespace, "link", "add", near.Device, "type", "veth", "peer", "name", far.Device, "netns", far.Namespace]).ConfigureAwait(false);
        _cables[near] = (far, link);
        await LabCommand.RunAsync("ip", ["-n", near.Namespace, "link", "set", near.Device, "up"]).ConfigureAwait(false);
        await LabCommand.RunAsync("ip", ["-n", far.Namespace, "link", "set", far.Device, "up"]).ConfigureAwait(false);
    }

    /// <summary>Pulls a cable out for good: both interfaces are gone.</summary>
    public async Task DisconnectAsync(LabEnd near)
    {
        _cables.Remove(near, out (LabEnd Other, LabLink? Link) cable);
        if (cable.Link is not null)
            await cable.Link.DisposeAsync().ConfigureAwait(false);
        else
            await LabCommand.RunAsync("ip", ["-n", near.Namespace, "link", "delete", near.Device]).ConfigureAwait(false);
    }

    /// <summary>Ends the links' threads. Interfaces of plain cables go with their namespaces.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach ((LabEnd _, LabLink? link) in _cables.Values)
        {
            if (link is not null)
                await link.DisposeAsync().ConfigureAwait(false);
        }

        _cables.Clear();
    }
}
