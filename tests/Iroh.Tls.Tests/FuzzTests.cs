using Iroh.Cryptography;
using Iroh.Tls.Certificates;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls.Tests;

/// <summary>
/// Seeded mutations of every flight: nothing throws, nothing hangs, nothing allocates much, and no handshake completes over
/// bytes that were changed. A failure names the seed that repeats it.
/// </summary>
public sealed class FuzzTests
{
    // What one flight may cost: far above the few KiB of an honest one, far below anything that could hurt.
    private const long AllocatedBytesMax = 256 * 1024;

    [Fact]
    public void A_server_survives_mutated_ClientHellos()
    {
        byte[] hello = new TlsPair().Client.TakeFlight()[0].Bytes.ToArray();
        Fuzz(8000, hello, EncryptionLevel.Initial, () => new TlsPair().Server, _ => false);
    }

    [Fact]
    public void A_client_survives_mutated_ServerHellos()
    {
        (byte[] hello, _, _) = Flights();
        Fuzz(6000, hello, EncryptionLevel.Initial, StartedClient, _ => false);
    }

    [Fact]
    public void A_client_survives_mutated_server_flights_and_completes_over_none()
    {
        (byte[] hello, byte[] flight, _) = Flights();
        Fuzz(
            4000,
            flight,
            EncryptionLevel.Handshake,
            () =>
            {
                TlsEnd client = StartedClient();
                Assert.Null(client.Feed(EncryptionLevel.Initial, hello));
                return client;
            },
            client => client.Session.IsHandshakeComplete);
    }

    [Fact]
    public void A_server_survives_mutated_last_flights_and_completes_over_none()
    {
        (_, _, byte[] final) = Flights();
        byte[] hello = new TlsPair().Client.TakeFlight()[0].Bytes.ToArray();
        Fuzz(
            3000,
            final,
            EncryptionLevel.Handshake,
            () =>
            {
                TlsEnd server = new TlsPair().Server;
                Assert.Null(server.Feed(EncryptionLevel.Initial, hello));
                return server;
            },
            server => server.Session.IsHandshakeComplete);
    }

    [Theory]
    [InlineData("P-256")]
    [InlineData("P-384")]
    [InlineData("RSA")]
    public void A_client_survives_mutated_certificates_and_completes_over_none(string key)
    {
        TlsPair Start() => new(
            TlsPair.ClientConfiguration() with { ServerName = "localhost", ExpectedPeerPublicKey = null },
            TlsPair.ServerConfiguration() with
            {
                ApplicationProtocols = [],
                Certificate = CertificateIdentity.Create(TestCertificates.ByName(key)),
                CertificateProtocols = [TlsPair.Bytes("test/1")],
            });
        var flights = new List<byte[]>();
        TlsPair recorded = Start();
        recorded.Wire = (_, _, bytes) =>
        {
            flights.Add(bytes);
            return bytes;
        };
        recorded.Run();
        Assert.True(recorded.Client.Session.IsHandshakeComplete);

        Fuzz(
            2000,
            flights[2],
            EncryptionLevel.Handshake,
            () =>
            {
                TlsEnd client = Start().Client;
                client.TakeFlight();
                Assert.Null(client.Feed(EncryptionLevel.Initial, flights[1]));
                return client;
            },
            client => client.Session.IsHandshakeComplete);
    }

    [Fact]
    public void Signatures_and_certificates_that_were_changed_are_refused_or_told_apart()
    {
        byte[] content = new byte[100];
        foreach (string name in (string[])["P-256", "P-384", "RSA"])
        {
            CertificateIdentity identity = CertificateIdentity.Create(TestCertificates.ByName(name));
            SignatureScheme scheme = SignatureSchemes.OfCertificates.ToArray()
                .First(s => identity.TryChooseScheme([(byte)((ushort)s >> 8), (byte)s], out _));
            byte[] signature = identity.Sign(scheme, content);
            Assert.Null(CertificateSignature.Verify(identity.Chain[0].Span, scheme, content, signature));
            for (ulong seed = 0; seed < 1500; seed++)
            {
                var random = new SeededRandomSource(seed);
                byte[] mutated = Mutate(random, signature);
                byte[] certificate = Mutate(random, identity.Chain[0].ToArray());
                Guard(seed, () =>
                {
                    // A changed signature of ECDSA can be right in one way only: bytes behind its end that nobody reads.
                    if (!mutated.AsSpan().StartsWith(signature))
                        Assert.NotNull(CertificateSignature.Verify(identity.Chain[0].Span, scheme, content, mutated));
                    foreach (SignatureScheme other in SignatureSchemes.OfCertificates)
                        CertificateSignature.Verify(certificate, other, content, signature);
                });
            }
        }
    }

    [Fact]
    public void Whole_handshakes_with_one_mutated_flight_complete_on_neither_or_only_the_innocent_side()
    {
        for (ulong seed = 0; seed < 1500; seed++)
        {
            var random = new SeededRandomSource(seed);
            int target = (int)random.NextBelow(4), index = 0;
            bool changed = false, changedByClient = false;
            var pair = new TlsPair { PieceLength = random.NextBelow(3) == 0 ? 1 + (int)random.NextBelow(40) : int.MaxValue };
            pair.Wire = (fromClient, _, bytes) =>
            {
                if (index++ != target)
                    return bytes;
                byte[] mutated = Mutate(random, bytes);
                changed = !mutated.AsSpan().SequenceEqual(bytes);
                changedByClient = fromClient;
                return mutated;
            };

            Guard(seed, pair.Run);

            // Whoever received the changed bytes does not complete: the transcripts differ.
            TlsEnd receiver = changedByClient ? pair.Server : pair.Client;
            Assert.True(!changed || !receiver.Session.IsHandshakeComplete, $"seed {seed} completed over changed bytes");
        }
    }

    [Fact]
    public void Readers_survive_random_bytes_and_random_extension_blocks()
    {
        for (ulong seed = 0; seed < 20_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] body = new byte[(int)random.NextBelow(120)];
            random.Fill(body);

            // Small numbers make lengths that fit now and then, so that readers get further.
            for (int i = 0; i < body.Length; i++)
                body[i] = random.NextBelow(3) == 0 ? body[i] : (byte)(body[i] % 5);
            Guard(seed, () =>
            {
                ClientHello.Read(body, out _);
                ServerHello.Read(body, out _);
                EncryptedExtensions.Read(body, usesRawPublicKeys: seed % 2 == 0, out _);
                CertificateRequest.Read(body, usesRawPublicKeys: seed % 2 == 0);
                CertificateMessage.Read(body, fromClient: false, out _);
                CertificateMessage.ReadChain(body, out _);
                CertificateVerify.ReadByCertificate(body, body, new byte[32]);
                Finished.Read(body, new byte[32]);
                NewSessionTicket.Read(body);
                ExtensionReader.Open(body, out _);
            });
        }
    }

    private static void Fuzz(
        int times, byte[] flight, EncryptionLevel level, Func<TlsEnd> start, Func<TlsEnd, bool> isForbiddenAfterChange)
    {
        for (ulong seed = 0; seed < (ulong)times; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] mutated = Mutate(random, flight);
            bool changed = !mutated.AsSpan().SequenceEqual(flight);
            TlsEnd end = start();
            long before = GC.GetAllocatedBytesForCurrentThread();
            Guard(seed, () =>
            {
                int cut = random.NextBelow(4) == 0 ? (int)random.NextBelow((ulong)mutated.Length + 1) : 0;
                end.Feed(level, mutated.AsSpan(0, cut));
                end.Feed(level, mutated.AsSpan(cut));
                end.TakeFlight();
            });
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < AllocatedBytesMax, $"seed {seed} allocated {allocated} bytes");
            Assert.True(!changed || !isForbiddenAfterChange(end), $"seed {seed} completed over changed bytes");
        }
    }

    private static void Guard(ulong seed, Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception)
        {
            Assert.Fail($"seed {seed}: {exception}");
        }
    }

    private static byte[] Mutate(SeededRandomSource random, byte[] original)
    {
        List<byte> bytes = [.. original];
        int mutations = 1 + (int)random.NextBelow(3);
        for (int i = 0; i < mutations; i++)
        {
            int at = (int)random.NextBelow((ulong)bytes.Count + 1);
            int length = Math.Min(1 + (int)random.NextBelow(random.NextBelow(4) == 0 ? 300u : 6u), bytes.Count - at);
            switch (random.NextBelow(7))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << (int)random.NextBelow(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.NextUInt64();
                    break;
                case 2 when at < bytes.Count:
                    bytes[at] = (byte)(bytes[at] + (random.NextBelow(2) == 0 ? 1 : -1));
                    break;
                case 3:
                    bytes.RemoveRange(at, length);
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 5:
                    byte[] inserted = new byte[1 + (int)random.NextBelow(20)];
                    random.Fill(inserted);
                    bytes.InsertRange(at, inserted);
                    break;
                default:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }

        return [.. bytes];
    }

    private static TlsEnd StartedClient()
    {
        TlsEnd client = new TlsPair().Client;
        client.TakeFlight();
        return client;
    }

    // Every pair draws the same keys, so that the flights of one fit all.
    private static (byte[] ServerHello, byte[] ServerFlight, byte[] ClientFlight) Flights()
    {
        var flights = new List<byte[]>();
        var pair = new TlsPair
        {
            Wire = (_, _, bytes) =>
            {
                flights.Add(bytes);
                return bytes;
            },
        };
        pair.Run();
        Assert.True(pair.Server.Session.IsHandshakeComplete);
        return (flights[1], flights[2], flights[3]);
    }
}
