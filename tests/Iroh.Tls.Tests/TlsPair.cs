using Iroh.Cryptography;

namespace Iroh.Tls.Tests;

/// <summary>One end of a handshake in a test, with everything that it has put out so far.</summary>
internal sealed class TlsEnd(TlsSession session)
{
    private readonly Queue<TlsCryptoData> _unsent = new();

    internal TlsSession Session { get; } = session;

    internal List<TlsOutput> Outputs { get; } = [];

    internal TlsFailure? Failure { get; private set; }

    internal TlsHandshakeComplete? Complete => Outputs.OfType<TlsHandshakeComplete>().SingleOrDefault();

    internal byte[] PeerTransportParameters => Outputs.OfType<TlsPeerTransportParameters>().Single().Bytes.ToArray();

    internal byte[] ReadSecret(EncryptionLevel level) =>
        Outputs.OfType<TlsSecrets>().Single(s => s.Level == level && s.ReadSecret is not null).ReadSecret!;

    internal byte[] WriteSecret(EncryptionLevel level) =>
        Outputs.OfType<TlsSecrets>().Single(s => s.Level == level && s.WriteSecret is not null).WriteSecret!;

    /// <summary>What the end has to say about a server's certificate: null for nothing yet, empty to accept, or why it refuses.</summary>
    internal Func<TlsServerCertificate, string?> Verdict { get; set; } = _ => string.Empty;

    internal TlsFailure? Feed(EncryptionLevel level, ReadOnlySpan<byte> bytes) => Failure = Session.HandleCrypto(level, bytes);

    /// <summary>The CRYPTO bytes that have not been asked for yet.</summary>
    internal List<TlsCryptoData> TakeFlight()
    {
        while (Session.TryGetOutput(out TlsOutput? output))
        {
            Outputs.Add(output);
            if (output is TlsCryptoData data)
                _unsent.Enqueue(data);
            if (output is TlsServerCertificate certificate && Verdict(certificate) is { } verdict)
                Failure = verdict.Length == 0 ? Session.AcceptCertificate() : Session.RefuseCertificate(TlsAlert.CertificateUnknown, verdict);
        }

        List<TlsCryptoData> flight = [.. _unsent];
        _unsent.Clear();
        return flight;
    }
}

/// <summary>A client and a server, and the wire between them, on which a test may change things.</summary>
internal sealed class TlsPair
{
    internal static readonly byte[] ClientSeed = [.. Enumerable.Repeat((byte)1, 32)];
    internal static readonly byte[] ServerSeed = [.. Enumerable.Repeat((byte)2, 32)];
    internal static readonly byte[] ClientParameters = [0x01, 0x02, 0x03];
    internal static readonly byte[] ServerParameters = [0x04, 0x05];

    internal TlsPair(TlsConfiguration? client = null, TlsConfiguration? server = null, ulong seed = 1)
    {
        var random = new SeededRandomSource(seed);
        Client = new TlsEnd(TlsSession.CreateClient(client ?? ClientConfiguration(), random));
        Server = new TlsEnd(TlsSession.CreateServer(server ?? ServerConfiguration(), random));
    }

    internal TlsEnd Client { get; }

    internal TlsEnd Server { get; }

    /// <summary>Every flight passes here on its way: sender is the client, level, bytes.</summary>
    internal Func<bool, EncryptionLevel, byte[], byte[]> Wire { get; set; } = (_, _, bytes) => bytes;

    internal int PieceLength { get; set; } = int.MaxValue;

    internal static TlsConfiguration ClientConfiguration() => new()
    {
        ApplicationProtocols = [Bytes("other/1"), Bytes("test/1")],
        PrivateKeySeed = ClientSeed,
        TransportParameters = ClientParameters,
        ExpectedPeerPublicKey = PublicKey(ServerSeed),
    };

    internal static TlsConfiguration ServerConfiguration() => new()
    {
        ApplicationProtocols = [Bytes("test/2"), Bytes("test/1")],
        PrivateKeySeed = ServerSeed,
        TransportParameters = ServerParameters,
    };

    internal static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    internal static byte[] PublicKey(byte[] seed)
    {
        byte[] key = new byte[Ed25519.PublicKeyLength];
        Ed25519.DerivePublicKey(seed, key);
        return key;
    }

    /// <summary>Carries flights to and fro until nobody has anything to say or somebody has failed.</summary>
    internal void Run()
    {
        bool moved = true;
        while (moved && Client.Failure is null && Server.Failure is null)
            moved = Carry(Client, Server, fromClient: true) | Carry(Server, Client, fromClient: false);
    }

    private bool Carry(TlsEnd from, TlsEnd to, bool fromClient)
    {
        List<TlsCryptoData> flight = from.TakeFlight();
        foreach (TlsCryptoData data in flight)
        {
            byte[] bytes = Wire(fromClient, data.Level, data.Bytes.ToArray());
            for (int i = 0; i < bytes.Length && to.Failure is null;)
            {
                int length = Math.Min(PieceLength, bytes.Length - i);
                to.Feed(data.Level, bytes.AsSpan(i, length));
                i += length;
            }
        }

        return flight.Count > 0;
    }
}
