using System.Net;
using System.Net.Security;
using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Relay.Client;

/// <summary>How to connect to one relay.</summary>
public sealed class RelayClientOptions
{
    /// <summary>The relay. Schemes http and ws mean plain TCP, https and wss TLS.</summary>
    public required RelayUrl Url { get; init; }

    /// <summary>Proves to the relay who this endpoint is.</summary>
    public required SecretKey SecretKey { get; init; }

    /// <summary>The relay's access token, printable ASCII without blanks, or null if it asks for none.</summary>
    public string? Token { get; init; }

    /// <summary>Decides about the relay's certificate; null: what the operating system trusts, for the URL's host name.</summary>
    public RemoteCertificateValidationCallback? CertificateValidation { get; init; }

    /// <summary>An HTTP proxy (http://[user:password@]host:port) to go through with CONNECT; null: none.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>How long name look-up, connection, TLS and handshake may take together; 10 s as in iroh.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Looks up a host name; null: the operating system does.</summary>
    public Func<string, CancellationToken, Task<IPAddress[]>>? Resolve { get; init; }

    /// <summary>The clock of all timers.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where jitter and ping data come from; null: the operating system.</summary>
    public RandomSource? Random { get; init; }

    /// <summary>Whether the token can stand in a header. One that cannot is treated as denied, as a wrong one is.</summary>
    internal bool IsTokenUsable => Token is not { } token || (token.Length > 0 && token.All(character => character is > ' ' and <= '~'));

    /// <summary>Checks what can be checked without asking anybody.</summary>
    /// <exception cref="ArgumentException">An option is unusable; the message says which and why.</exception>
    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Url);
        ArgumentNullException.ThrowIfNull(SecretKey);
        if (Proxy is { } proxy && (!proxy.IsAbsoluteUri || proxy.Scheme != Uri.UriSchemeHttp))
            throw new ArgumentException($"The proxy '{proxy}' is not an http URL.");
        if (ConnectTimeout <= TimeSpan.Zero)
            throw new ArgumentException("The connect time-out has to be above zero.");
    }
}
