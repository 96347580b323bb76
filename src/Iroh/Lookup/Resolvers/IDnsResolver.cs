using Iroh.Dns.Messages;

namespace Iroh.Lookup.Resolvers;

/// <summary>Somebody who can be asked.</summary>
internal interface IDnsResolver
{
    /// <summary>Who, for messages.</summary>
    string Name { get; }

    /// <summary>Asks once. There is no time limit but the token.</summary>
    /// <exception cref="DnsResolverException">There is no answer to be had, or it is malformed.</exception>
    Task<DnsMessage> AskAsync(DnsQuestion question, CancellationToken cancellationToken);
}

/// <summary>A query without a usable answer.</summary>
internal sealed class DnsResolverException(string message, Exception? inner = null) : Exception(message, inner);
