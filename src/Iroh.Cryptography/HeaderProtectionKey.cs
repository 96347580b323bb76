using System.Runtime.Intrinsics;

namespace Iroh.Cryptography;

/// <summary>
/// Makes the mask that hides packet numbers and flags (RFC 9001 §5.4): AES-ECB of the sample, or ChaCha20 keyed with it.
/// Allocates nothing per call. Not thread-safe: one owner at a time.
/// </summary>
public sealed unsafe class HeaderProtectionKey : IDisposable
{
    /// <summary>Bytes of ciphertext that a mask is made from (RFC 9001 §5.4.2).</summary>
    public const int SampleLength = 16;

    /// <summary>Bytes of mask: one for the first byte of the header, four for the packet number (RFC 9001 §5.4.1).</summary>
    public const int MaskLength = 5;

    private readonly AesBlock? _aes;
    private readonly CipherContext? _context;
    private readonly bool _chaCha;
    private bool _disposed;

    /// <summary>Expands the key, with the CPU's AES instructions if it has them and with libcrypto otherwise.</summary>
    /// <param name="algorithm">The AEAD of the packets; it decides the cipher.</param>
    /// <param name="key"><see cref="AeadAlgorithmExtensions.KeyLength"/> bytes; the caller may wipe them afterwards.</param>
    /// <exception cref="ArgumentException">The key has another length.</exception>
    public HeaderProtectionKey(AeadAlgorithm algorithm, ReadOnlySpan<byte> key)
        : this(algorithm, key, AesBlock.IsSupported)
    {
    }

    /// <summary>As the public constructor, with the choice of the AES implementation, for comparing the two.</summary>
    internal HeaderProtectionKey(AeadAlgorithm algorithm, ReadOnlySpan<byte> key, bool useInstructions)
    {
        if (key.Length != algorithm.KeyLength())
            throw new ArgumentException($"A key of {algorithm} has {algorithm.KeyLength()} bytes, not {key.Length}.", nameof(key));
        _chaCha = algorithm == AeadAlgorithm.ChaCha20Poly1305;
        if (useInstructions && !_chaCha)
        {
            _aes = new AesBlock(key);
            return;
        }

        IntPtr cipher = algorithm switch
        {
            AeadAlgorithm.Aes128Gcm => LibCrypto.Aes128Ecb(),
            AeadAlgorithm.Aes256Gcm => LibCrypto.Aes256Ecb(),
            _ => LibCrypto.ChaCha20(),
        };
        _context = new CipherContext();
        fixed (byte* keyBytes = key)
            LibCrypto.Require(LibCrypto.CipherInit(_context.Pointer, cipher, 0, keyBytes, null, 1), "EVP_CipherInit_ex");
        LibCrypto.Require(LibCrypto.CipherSetPadding(_context.Pointer, 0), "EVP_CIPHER_CTX_set_padding");
    }

    /// <summary>Writes the mask for one packet.</summary>
    /// <param name="sample"><see cref="SampleLength"/> bytes of ciphertext, from four bytes after the packet number's start.</param>
    /// <param name="mask">Receives <see cref="MaskLength"/> bytes.</param>
    /// <exception cref="ArgumentException">One of the spans has another length.</exception>
    /// <exception cref="ObjectDisposedException">The key has been disposed of.</exception>
    public void ComputeMask(ReadOnlySpan<byte> sample, Span<byte> mask)
    {
        if (sample.Length != SampleLength || mask.Length != MaskLength)
            throw new ArgumentException($"A sample has {SampleLength} bytes and a mask {MaskLength}.");
        ObjectDisposedException.ThrowIf(_disposed, this);
        Span<byte> block = stackalloc byte[SampleLength];
        if (_aes is not null)
            _aes.Encrypt(Vector128.Create(sample)).CopyTo(block);
        else
            EncryptWithLibCrypto(sample, block);
        block[..MaskLength].CopyTo(mask);
    }

    /// <summary>Wipes the key.</summary>
    public void Dispose()
    {
        _disposed = true;
        _aes?.Clear();
        _context?.Dispose();
    }

    private void EncryptWithLibCrypto(ReadOnlySpan<byte> sample, Span<byte> block)
    {
        IntPtr context = _context!.Pointer;
        int written;
        bool ok;
        fixed (byte* sampleBytes = sample, blockBytes = block)
        {
            if (_chaCha)
            {
                // RFC 9001 §5.4.4: the sample is counter (little-endian) and nonce, which is libcrypto's own order; the mask
                // is the key stream, that is the encryption of zeros.
                block.Clear();
                ok = LibCrypto.CipherInit(context, 0, 0, null, sampleBytes, 1) == 1
                    && LibCrypto.CipherUpdate(context, blockBytes, &written, blockBytes, MaskLength) == 1;
            }
            else
            {
                ok = LibCrypto.CipherUpdate(context, blockBytes, &written, sampleBytes, SampleLength) == 1;
            }
        }

        GC.KeepAlive(_context);
        LibCrypto.Require(ok ? 1 : 0, "header protection");
    }
}
