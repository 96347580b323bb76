using System.Security.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>The keys of all levels that a connection has at the moment (RFC 9001 §4.9, §5).</summary>
internal sealed class ConnectionKeys : IDisposable
{
    private readonly PacketKeys?[] _receive = new PacketKeys?[2];
    private readonly PacketKeys?[] _send = new PacketKeys?[2];
    private readonly bool[] _discarded = new bool[2];
    private byte[]? _applicationReadSecret;
    private byte[]? _applicationWriteSecret;

    /// <summary>The 1-RTT keys; null until both directions are known.</summary>
    /// <remarks>
    /// A server could send before it has the client's Finished. It does not: until then it does not know whom it talks to, and iroh drops
    /// such packets.
    /// </remarks>
    public KeyUpdate? Application { get; private set; }

    /// <summary>Whether packets of the level can be sent and opened.</summary>
    public bool Has(EncryptionLevel level) =>
        level == EncryptionLevel.Application ? Application is not null : _receive[(int)level] is not null;

    /// <summary>Whether the level's keys were there and are gone for good.</summary>
    public bool WereDiscarded(EncryptionLevel level) => level != EncryptionLevel.Application && _discarded[(int)level];

    /// <summary>The receiving keys of Initial or Handshake, which are there.</summary>
    public PacketKeys Receiving(EncryptionLevel level) => _receive[(int)level]!;

    /// <summary>The sending keys of Initial or Handshake, which are there.</summary>
    public PacketKeys Sending(EncryptionLevel level) => _send[(int)level]!;

    /// <summary>Derives the Initial keys, again after a Retry (RFC 9001 §5.2).</summary>
    public void SetInitial(in ConnectionId clientDestinationId, Side side)
    {
        _receive[0]?.Dispose();
        _send[0]?.Dispose();
        (_receive[0], _send[0]) = InitialKeys.Derive(clientDestinationId, side);
    }

    /// <summary>Takes secrets from TLS. They are wiped once the keys are derived.</summary>
    public void Install(TlsSecrets secrets)
    {
        if (secrets.Level == EncryptionLevel.Application)
        {
            _applicationReadSecret = secrets.ReadSecret ?? _applicationReadSecret;
            _applicationWriteSecret = secrets.WriteSecret ?? _applicationWriteSecret;
            if (_applicationReadSecret is null || _applicationWriteSecret is null || Application is not null)
                return;
            Application = new KeyUpdate(secrets.Suite, _applicationReadSecret, _applicationWriteSecret);
            CryptographicOperations.ZeroMemory(_applicationReadSecret);
            CryptographicOperations.ZeroMemory(_applicationWriteSecret);
            return;
        }

        if (secrets.ReadSecret is { } read)
            Derive(ref _receive[(int)secrets.Level], secrets.Suite, read);
        if (secrets.WriteSecret is { } write)
            Derive(ref _send[(int)secrets.Level], secrets.Suite, write);
    }

    /// <summary>Wipes the keys of Initial or Handshake (RFC 9001 §4.9). Returns false if they were gone already.</summary>
    public bool Discard(EncryptionLevel level)
    {
        int index = (int)level;
        if (_discarded[index])
            return false;
        _discarded[index] = true;
        _receive[index]?.Dispose();
        _send[index]?.Dispose();
        _receive[index] = _send[index] = null;
        return true;
    }

    /// <summary>Wipes everything.</summary>
    public void Dispose()
    {
        Discard(EncryptionLevel.Initial);
        Discard(EncryptionLevel.Handshake);
        Application?.Dispose();
        Application = null;
    }

    private static void Derive(ref PacketKeys? keys, CipherSuite suite, byte[] secret)
    {
        keys?.Dispose();
        keys = new PacketKeys(suite, secret);
        CryptographicOperations.ZeroMemory(secret);
    }
}
