using System.Security.Cryptography.X509Certificates;
using Iroh.Cryptography;

namespace Blixard.Rpc.Identity;

/// <summary>The node's own certificate, made anew before it runs out, so that a node may run for years. Thread-safe.</summary>
public sealed class NodeCertificateSource : IDisposable
{
    private readonly Lock _lock = new();
    private readonly byte[] _seed;
    private readonly string[] _names;
    private readonly TimeProvider _time;
    private X509Certificate2 _current;
    private DateTimeOffset _renewAt;

    /// <summary>A source with a first certificate.</summary>
    /// <param name="seed">The node's Ed25519 seed, 32 bytes; copied.</param>
    /// <param name="time">The clock for validity dates.</param>
    /// <param name="names">As in <see cref="NodeCertificate.Create"/>.</param>
    public NodeCertificateSource(ReadOnlySpan<byte> seed, TimeProvider time, IEnumerable<string>? names = null)
    {
        ArgumentNullException.ThrowIfNull(time);
        _seed = seed.ToArray();
        _names = [.. names ?? []];
        _time = time;
        EndpointId = new byte[Ed25519.PublicKeyLength];
        Ed25519.DerivePublicKey(seed, EndpointId);
        _current = Make(time.GetUtcNow());
    }

    /// <summary>The node's endpoint id, 32 bytes.</summary>
    public byte[] EndpointId { get; }

    internal TimeProvider Time => _time;

    /// <summary>The certificate to show now, with its private key; the source owns it.</summary>
    public X509Certificate2 Current
    {
        get
        {
            lock (_lock)
            {
                DateTimeOffset now = _time.GetUtcNow();
                // The one before is left to the garbage collector: handshakes may still use it.
                if (now >= _renewAt)
                    _current = Make(now);
                return _current;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _current.Dispose();

    private X509Certificate2 Make(DateTimeOffset now)
    {
        // At two thirds of its life: a node that sleeps for days still wakes with a good one.
        _renewAt = now + (NodeCertificate.DefaultValidity * 2 / 3);
        return NodeCertificate.Create(_seed, now, NodeCertificate.DefaultValidity, _names);
    }
}
