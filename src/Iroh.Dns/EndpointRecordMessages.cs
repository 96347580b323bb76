using Iroh.Base;
using Iroh.Dns.Messages;

namespace Iroh.Dns;

/// <summary>Endpoint records in DNS messages.</summary>
public static class EndpointRecordMessages
{
    /// <summary>Takes an endpoint's record out of an answer.</summary>
    /// <param name="message">The answer.</param>
    /// <param name="id">Whose record it is.</param>
    /// <param name="name">The name of the TXT records; others are passed over.</param>
    /// <returns>The record; without addresses and user data if the answer holds none.</returns>
    public static EndpointRecord ToEndpointRecord(this DnsMessage message, EndpointId id, DomainName name)
    {
        ArgumentNullException.ThrowIfNull(message);
        return EndpointRecord.FromAttributes(
            id,
            message.Answers
                .Where(answer => answer is { Type: DnsType.TXT, Class: DnsClass.Internet } && answer.Name.Equals(name))
                .Select(answer => ((TextData)answer.Data).ToValue()));
    }
}
