using System.Diagnostics.CodeAnalysis;
using System.Net;
using Google.Protobuf;
using Iroh.Base;

namespace Blixard.Cluster.Membership;

/// <summary>Where a node can be dialled by key, between the library's type and the message of records and requests.</summary>
public static class MemberAddress
{
    /// <summary>The most UDP addresses of one node: more than any machine has, few enough to be dialled at once.</summary>
    public const int DirectAddressesMax = 64;

    /// <summary>The message for an address. Of more than <see cref="DirectAddressesMax"/> UDP addresses the first are taken.</summary>
    public static V1.EndpointAddress ToMessage(EndpointAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        var message = new V1.EndpointAddress
        {
            EndpointId = ByteString.CopyFrom(address.Id.Span),
            RelayUrl = address.RelayUrls.FirstOrDefault()?.ToString() ?? "",
            Ticket = new EndpointTicket(address).ToString(),
        };
        message.DirectAddresses.AddRange(address.DirectAddresses.Take(DirectAddressesMax).Select(endPoint => endPoint.ToString()));
        return message;
    }

    /// <summary>Reads a message, or says in words what is wrong with it.</summary>
    public static bool TryRead(
        V1.EndpointAddress message, [NotNullWhen(true)] out EndpointAddress? address, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(message);
        address = null;
        problem = null;
        var addresses = new List<TransportAddress>();
        if (!EndpointId.TryFromBytes(message.EndpointId.Span, out EndpointId id))
            problem = "the address has no valid endpoint id";
        else if (message.DirectAddresses.Count > DirectAddressesMax)
            problem = $"the address has {message.DirectAddresses.Count} UDP addresses; at most {DirectAddressesMax} are taken";
        foreach (string text in problem is null ? message.DirectAddresses : [])
        {
            // Without a port .NET reads port 0, to which nothing can be sent.
            if (text.Length <= 64 && IPEndPoint.TryParse(text, out IPEndPoint? endPoint) && endPoint.Port != 0)
                addresses.Add(TransportAddress.Ip(endPoint));
            else
                problem = $"'{(text.Length <= 64 ? text : text[..64])}' is no UDP address: expected ip:port";
        }

        if (problem is null && message.RelayUrl.Length > 0)
        {
            if (RelayUrl.TryParse(message.RelayUrl, out RelayUrl? relay))
                addresses.Add(TransportAddress.Relay(relay));
            else
                problem = "the address' relay URL cannot be read";
        }

        if (problem is null)
            address = new EndpointAddress(id, addresses);
        return address is not null;
    }
}
