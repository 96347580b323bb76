using System.Text;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Protocol;

/// <summary>The vectors were computed with another BLAKE3 and another Ed25519 that real iroh clients have been checked with.</summary>
public sealed class RelayHandshakeTests
{
    private static readonly SecretKey s_key = SecretKey.FromBytes([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);
    private static readonly byte[] s_challenge = [.. Enumerable.Range(0xa0, 16).Select(i => (byte)i)];

    [Fact]
    public void What_is_signed_is_the_key_derived_from_the_challenge()
    {
        byte[] message = new byte[32];
        RelayHandshake.DeriveMessage(s_challenge, message);
        Assert.Equal("f42fecb4719f2a83cb9b942f6003736bfa90540a1d965506dd09562a810f5d79", Convert.ToHexStringLower(message));
    }

    [Fact]
    public void A_client_answers_a_challenge_as_iroh_does()
    {
        byte[] message = new byte[RelayHandshake.ClientAuthLength];
        Assert.Equal(message.Length, RelayHandshake.WriteClientAuth(message, s_key, s_challenge));
        Assert.Equal(
            "01" + "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8" + "40"
            + "8de658eb97ad5dea87c197acb44d661653e6b8eb68111d0fbefb5523aaf7ac97"
            + "47ba0a2c9a3267f2bd4e3b6931e2602d59e143e3b55ed8412740cdcf7535a40b",
            Convert.ToHexStringLower(message));
        Assert.True(RelayHandshake.TryReadClientAuth(message, out EndpointId id, out ReadOnlySpan<byte> signature));
        Assert.Equal(s_key.PublicKey, id);
        Assert.True(RelayHandshake.Verify(id, s_challenge, signature));
    }

    [Fact]
    public void An_answer_to_another_challenge_or_by_another_key_is_refused()
    {
        byte[] message = new byte[RelayHandshake.ClientAuthLength];
        RelayHandshake.WriteClientAuth(message, s_key, s_challenge);
        Assert.True(RelayHandshake.TryReadClientAuth(message, out EndpointId id, out ReadOnlySpan<byte> signature));
        byte[] other = [.. s_challenge];
        other[15] ^= 1;
        Assert.False(RelayHandshake.Verify(id, other, signature));
        Assert.False(RelayHandshake.Verify(SecretKey.FromBytes(new byte[32]).PublicKey, s_challenge, signature));
    }

    [Fact]
    public void A_client_reads_challenge_confirmation_and_denial()
    {
        byte[] challenge = new byte[RelayHandshake.ServerChallengeLength];
        RelayHandshake.WriteServerChallenge(challenge, s_challenge);
        Assert.Equal("00a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", Convert.ToHexStringLower(challenge));
        Assert.True(RelayHandshake.TryReadServerMessage(challenge, out RelayServerMessage read));
        Assert.Equal(RelayFrameType.ServerChallenge, read.Type);
        Assert.Equal(s_challenge, read.Challenge);

        byte[] confirmation = new byte[1];
        RelayHandshake.WriteServerConfirmsAuth(confirmation);
        Assert.True(RelayHandshake.TryReadServerMessage(confirmation, out read));
        Assert.Equal(RelayFrameType.ServerConfirmsAuth, read.Type);

        byte[] denial = RelayHandshake.ServerDeniesAuth(RelayHandshake.NotAuthorized);
        Assert.Equal("030e" + Convert.ToHexStringLower("not authorized"u8), Convert.ToHexStringLower(denial));
        Assert.True(RelayHandshake.TryReadServerMessage(denial, out read));
        Assert.Equal(RelayFrameType.ServerDeniesAuth, read.Type);
        Assert.Equal("not authorized", read.Reason);
    }

    [Fact]
    public void A_long_reason_is_cut_between_characters()
    {
        byte[] denial = RelayHandshake.ServerDeniesAuth(string.Concat(Enumerable.Repeat("é", 700)));
        Assert.True(RelayHandshake.TryReadServerMessage(denial, out RelayServerMessage read));
        Assert.Equal(string.Concat(Enumerable.Repeat("é", 512)), read.Reason);
    }

    [Fact]
    public void A_reason_cannot_steer_a_terminal()
    {
        Assert.True(RelayHandshake.TryReadServerMessage(RelayHandshake.ServerDeniesAuth("no\u001b[2J\r\nyes"), out RelayServerMessage read));
        Assert.Equal("no [2J  yes", read.Reason);
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("00a0a1a2a3a4a5a6a7a8a9aaabacadae")] // a challenge of 15 bytes
    [InlineData("03")]
    [InlineData("0305666f")] // a reason that is longer than the message
    [InlineData("0301ff")] // not UTF-8
    [InlineData("0900000000000000")]
    [InlineData("01")]
    [InlineData("40")]
    public void What_no_relay_says_in_the_handshake_is_refused(string hex) =>
        Assert.False(RelayHandshake.TryReadServerMessage(Convert.FromHexString(hex), out _));

    [Fact]
    public void No_bytes_make_a_reader_throw()
    {
        const ulong Seed = 1;
        var random = new SeededRandomSource(Seed);
        byte[] valid = new byte[RelayHandshake.ClientAuthLength];
        RelayHandshake.WriteClientAuth(valid, s_key, s_challenge);
        for (int round = 0; round < 5_000; round++)
        {
            byte[] message = round % 2 == 0 ? new byte[random.NextBelow(160)] : valid[..(int)random.NextBelow((ulong)valid.Length + 1)];
            if (round % 2 == 0)
                random.Fill(message);
            else if (message.Length > 0)
                message[random.NextBelow((ulong)message.Length)] ^= (byte)(1 << (int)random.NextBelow(8));
            if (round % 4 == 0 && message.Length > 0)
                message[0] &= 3;
            if (RelayHandshake.TryReadClientAuth(message, out EndpointId id, out ReadOnlySpan<byte> signature))
                Assert.False(RelayHandshake.Verify(id, s_challenge, signature), $"seed {Seed}, round {round}: forged");
            if (RelayHandshake.TryReadServerMessage(message, out RelayServerMessage read))
                Assert.True(Encoding.UTF8.GetByteCount(read.Reason) <= RelayHandshake.ReasonLengthMax, $"seed {Seed}, round {round}");
        }
    }
}
