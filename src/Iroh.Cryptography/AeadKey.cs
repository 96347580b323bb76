using System.Security.Cryptography;

namespace Iroh.Cryptography;

/// <summary>
/// One AEAD key, ready to seal and open packets in place (RFC 5116). The key schedule is made once, at construction; a call
/// sets the nonce only and allocates nothing. Not thread-safe: one owner at a time.
/// </summary>
public sealed unsafe class AeadKey : IDisposable
{
    /// <summary>Length of a nonce in bytes.</summary>
    public const int NonceLength = 12;

    /// <summary>Length of an authentication tag in bytes.</summary>
    public const int TagLength = 16;

    private readonly CipherContext _context;

    /// <summary>Copies the key into a new cipher context.</summary>
    /// <param name="algorithm">Which AEAD.</param>
    /// <param name="key"><see cref="AeadAlgorithmExtensions.KeyLength"/> bytes; the caller may wipe them afterwards.</param>
    /// <exception cref="ArgumentException">The key has another length.</exception>
    public AeadKey(AeadAlgorithm algorithm, ReadOnlySpan<byte> key)
    {
        if (key.Length != algorithm.KeyLength())
            throw new ArgumentException($"A key of {algorithm} has {algorithm.KeyLength()} bytes, not {key.Length}.", nameof(key));
        IntPtr cipher = algorithm switch
        {
            AeadAlgorithm.Aes128Gcm => LibCrypto.Aes128Gcm(),
            AeadAlgorithm.Aes256Gcm => LibCrypto.Aes256Gcm(),
            _ => LibCrypto.ChaCha20Poly1305(),
        };
        _context = new CipherContext();
        IntPtr context = _context.Pointer;
        LibCrypto.Require(LibCrypto.CipherInit(context, cipher, 0, null, null, 1), "EVP_CipherInit_ex");
        LibCrypto.Require(
            LibCrypto.CipherControl(context, LibCrypto.AeadSetNonceLength, NonceLength, null), "EVP_CTRL_AEAD_SET_IVLEN");
        fixed (byte* keyBytes = key)
            LibCrypto.Require(LibCrypto.CipherInit(context, 0, 0, keyBytes, null, 1), "EVP_CipherInit_ex");
    }

    /// <summary>Encrypts <paramref name="data"/> in place and writes its tag.</summary>
    /// <param name="nonce"><see cref="NonceLength"/> bytes, never used before with this key.</param>
    /// <param name="associatedData">Authenticated but not encrypted; may be empty; must not overlap the data.</param>
    /// <param name="data">Plaintext in, ciphertext out; may be empty.</param>
    /// <param name="tag">Receives <see cref="TagLength"/> bytes; may follow the data directly.</param>
    /// <exception cref="ArgumentException">The nonce or the tag has another length.</exception>
    /// <exception cref="ObjectDisposedException">The key has been disposed of.</exception>
    public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, Span<byte> data, Span<byte> tag)
    {
        CheckLengths(nonce.Length, tag.Length);
        IntPtr context = _context.Pointer;
        fixed (byte* tagBytes = tag)
        {
            bool ok = Transform(context, nonce, associatedData, data, encrypt: 1)
                && Finish(context)
                && LibCrypto.CipherControl(context, LibCrypto.AeadGetTag, TagLength, tagBytes) == 1;
            GC.KeepAlive(_context);
            LibCrypto.Require(ok ? 1 : 0, "AEAD encryption");
        }
    }

    /// <summary>Checks the tag and decrypts <paramref name="data"/> in place.</summary>
    /// <param name="nonce"><see cref="NonceLength"/> bytes.</param>
    /// <param name="associatedData">As given to <see cref="Seal"/>.</param>
    /// <param name="data">Ciphertext in, plaintext out; all zero if the result is false.</param>
    /// <param name="tag">The <see cref="TagLength"/> bytes that came with the ciphertext; never written.</param>
    /// <returns>False if anything differs from what was sealed.</returns>
    /// <exception cref="ArgumentException">The nonce or the tag has another length.</exception>
    /// <exception cref="ObjectDisposedException">The key has been disposed of.</exception>
    public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, Span<byte> data, ReadOnlySpan<byte> tag)
    {
        CheckLengths(nonce.Length, tag.Length);
        IntPtr context = _context.Pointer;
        fixed (byte* tagBytes = tag)
        {
            bool ready = Transform(context, nonce, associatedData, data, encrypt: 0)
                && LibCrypto.CipherControl(context, LibCrypto.AeadSetTag, TagLength, tagBytes) == 1;
            bool authentic = ready && Finish(context);
            GC.KeepAlive(_context);
            if (authentic)
                return true;
        }

        LibCrypto.ClearErrors();
        CryptographicOperations.ZeroMemory(data);
        return false;
    }

    /// <summary>Frees the context and wipes the key in it.</summary>
    public void Dispose() => _context.Dispose();

    private static bool Transform(
        IntPtr context, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associatedData, Span<byte> data, int encrypt)
    {
        int written;
        fixed (byte* nonceBytes = nonce, associatedBytes = associatedData, bytes = data)
        {
            return LibCrypto.CipherInit(context, 0, 0, null, nonceBytes, encrypt) == 1
                && (associatedData.IsEmpty
                    || LibCrypto.CipherUpdate(context, null, &written, associatedBytes, associatedData.Length) == 1)
                && (data.IsEmpty || LibCrypto.CipherUpdate(context, bytes, &written, bytes, data.Length) == 1);
        }
    }

    private static bool Finish(IntPtr context)
    {
        // Stream modes write nothing here, but libcrypto wants a place of one block.
        byte* none = stackalloc byte[16];
        int written;
        return LibCrypto.CipherFinal(context, none, &written) == 1;
    }

    private static void CheckLengths(int nonceLength, int tagLength)
    {
        if (nonceLength != NonceLength || tagLength != TagLength)
            Throw();

        static void Throw() => throw new ArgumentException($"A nonce has {NonceLength} bytes and a tag {TagLength}.");
    }
}
