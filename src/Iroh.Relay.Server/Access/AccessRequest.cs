using System.Net;
using Iroh.Base;

namespace Iroh.Relay.Server.Access;

/// <summary>A client that has proved its id and asks to be let in.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Token">The token it shows: the first bearer token of its <c>Authorization</c> header, else <c>token</c> of its query; null if there is none.</param>
/// <param name="RemoteAddress">Where it connects from, as the server sees it; null if the server does not know.</param>
/// <param name="ConnectionId">Tells this connection from all others of the relay's life.</param>
public sealed record AccessRequest(EndpointId Id, string? Token, IPAddress? RemoteAddress, ulong ConnectionId);

/// <summary>Whether a client is let in.</summary>
/// <param name="IsAllowed">Whether it is.</param>
/// <param name="Reason">Why not, in words that the client is told; empty if it is.</param>
public readonly record struct AccessDecision(bool IsAllowed, string Reason)
{
    /// <summary>It is let in.</summary>
    public static AccessDecision Allowed { get; } = new(true, "");

    /// <summary>It is not.</summary>
    /// <param name="reason">Why, in words that the client is told.</param>
    public static AccessDecision Denied(string reason) => new(false, reason);
}
