using System.Net;

namespace Blixard.Testing.NatLab;

/// <summary>A place of an <see cref="InternetLab"/> where hosts can be: behind a gateway, or on the public segment itself.</summary>
public sealed class LabSite
{
    internal LabSite(string name, NatKind kind, int number, LinkConditions? uplink) => (Name, Kind, Number, Uplink) = (name, kind, number, uplink);

    /// <summary>Its name in the lab.</summary>
    public string Name { get; }

    /// <summary>What its hosts are behind.</summary>
    public NatKind Kind { get; }

    /// <summary>The address that its hosts are seen by; null if their addresses are public themselves.</summary>
    public IPAddress? PublicAddress { get; internal set; }

    /// <summary>Which of the lab's members it is: part of its addresses.</summary>
    internal int Number { get; }

    /// <summary>What the way to the public segment does: the gateway's, or that of each host if there is no gateway. Null: a plain cable.</summary>
    internal LinkConditions? Uplink { get; }

    /// <summary>The gateway's namespace; null if hosts are on the public segment.</summary>
    internal string? Gateway { get; set; }
}
