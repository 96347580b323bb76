using Microsoft.AspNetCore.Http;

namespace Iroh.Relay.Server.Hosting;

/// <summary>Breaks a request's connection off for as long as the request lives: afterwards its context belongs to the server again. Thread-safe.</summary>
internal sealed class RequestBreaker(HttpContext context)
{
    private readonly Lock _lock = new();
    private HttpContext? _context = context;

    /// <summary>Breaks the connection off, or does nothing when the request has ended.</summary>
    public void Break()
    {
        lock (_lock)
            _context?.Abort();
    }

    /// <summary>The request ends.</summary>
    public void Retire()
    {
        lock (_lock)
            _context = null;
    }
}
