using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Iroh.Cryptography;

/// <summary>
/// The functions of OpenSSL 3's libcrypto that the class library has no face for. The class library itself loads the same
/// library on Linux, so nothing more has to be installed. Lengths are <c>size_t</c> or <c>int</c> as in OpenSSL's headers;
/// functions that return <c>int</c> return 1 for success.
/// </summary>
internal static unsafe partial class LibCrypto
{
    internal const int X25519KeyType = 1034; // NID_X25519
    internal const int Ed25519KeyType = 1087; // NID_ED25519
    internal const int AeadSetNonceLength = 0x09; // EVP_CTRL_AEAD_SET_IVLEN
    internal const int AeadGetTag = 0x10; // EVP_CTRL_AEAD_GET_TAG
    internal const int AeadSetTag = 0x11; // EVP_CTRL_AEAD_SET_TAG

    private const string Library = "libcrypto";

    static LibCrypto() => NativeLibrary.SetDllImportResolver(typeof(LibCrypto).Assembly, Resolve);

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (name != Library)
            return IntPtr.Zero;
        string file = OperatingSystem.IsWindows() ? "libcrypto-3-x64.dll"
            : OperatingSystem.IsMacOS() ? "libcrypto.3.dylib"
            : "libcrypto.so.3";
        if (NativeLibrary.TryLoad(file, assembly, searchPath, out IntPtr handle))
            return handle;
        throw new DllNotFoundException(
            $"OpenSSL 3 is needed for Ed25519, X25519 and packet protection, and its library {file} cannot be loaded. " +
            "Install it (Debian and Ubuntu: package libssl3 or libssl3t64) or put it where the loader looks.");
    }

    /// <summary>Throws for a failure that only broken memory limits or a crippled libcrypto can cause.</summary>
    internal static void Require(int result, string operation)
    {
        if (result != 1)
            ThrowFailure(operation);
    }

    /// <summary>Throws if libcrypto returned no object.</summary>
    internal static IntPtr Require(IntPtr pointer, string operation)
    {
        if (pointer == IntPtr.Zero)
            ThrowFailure(operation);
        return pointer;
    }

    private static void ThrowFailure(string operation)
    {
        ClearErrors();
        throw new CryptographicException($"libcrypto failed in {operation}.");
    }

    [LibraryImport(Library, EntryPoint = "ERR_clear_error")]
    internal static partial void ClearErrors();

    [LibraryImport(Library, EntryPoint = "EVP_aes_128_gcm")]
    internal static partial IntPtr Aes128Gcm();

    [LibraryImport(Library, EntryPoint = "EVP_aes_256_gcm")]
    internal static partial IntPtr Aes256Gcm();

    [LibraryImport(Library, EntryPoint = "EVP_chacha20_poly1305")]
    internal static partial IntPtr ChaCha20Poly1305();

    [LibraryImport(Library, EntryPoint = "EVP_aes_128_ecb")]
    internal static partial IntPtr Aes128Ecb();

    [LibraryImport(Library, EntryPoint = "EVP_aes_256_ecb")]
    internal static partial IntPtr Aes256Ecb();

    [LibraryImport(Library, EntryPoint = "EVP_chacha20")]
    internal static partial IntPtr ChaCha20();

    [LibraryImport(Library, EntryPoint = "EVP_CIPHER_CTX_new")]
    internal static partial IntPtr CipherContextNew();

    [LibraryImport(Library, EntryPoint = "EVP_CIPHER_CTX_free")]
    internal static partial void CipherContextFree(IntPtr context);

    [LibraryImport(Library, EntryPoint = "EVP_CIPHER_CTX_ctrl")]
    internal static partial int CipherControl(IntPtr context, int command, int length, void* value);

    [LibraryImport(Library, EntryPoint = "EVP_CIPHER_CTX_set_padding")]
    internal static partial int CipherSetPadding(IntPtr context, int padding);

    [LibraryImport(Library, EntryPoint = "EVP_CipherInit_ex")]
    internal static partial int CipherInit(IntPtr context, IntPtr cipher, IntPtr engine, byte* key, byte* iv, int encrypt);

    [LibraryImport(Library, EntryPoint = "EVP_CipherUpdate")]
    internal static partial int CipherUpdate(IntPtr context, byte* output, int* outputLength, byte* input, int inputLength);

    [LibraryImport(Library, EntryPoint = "EVP_CipherFinal_ex")]
    internal static partial int CipherFinal(IntPtr context, byte* output, int* outputLength);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_new_raw_private_key")]
    internal static partial IntPtr PrivateKeyNew(int type, IntPtr engine, byte* key, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_new_raw_public_key")]
    internal static partial IntPtr PublicKeyNew(int type, IntPtr engine, byte* key, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_get_raw_public_key")]
    internal static partial int GetRawPublicKey(IntPtr key, byte* output, nuint* length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_free")]
    internal static partial void KeyFree(IntPtr key);

    [LibraryImport(Library, EntryPoint = "EVP_MD_CTX_new")]
    internal static partial IntPtr DigestContextNew();

    [LibraryImport(Library, EntryPoint = "EVP_MD_CTX_free")]
    internal static partial void DigestContextFree(IntPtr context);

    [LibraryImport(Library, EntryPoint = "EVP_DigestSignInit")]
    internal static partial int DigestSignInit(IntPtr context, IntPtr keyContext, IntPtr digest, IntPtr engine, IntPtr key);

    [LibraryImport(Library, EntryPoint = "EVP_DigestSign")]
    internal static partial int DigestSign(IntPtr context, byte* signature, nuint* signatureLength, byte* message, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_DigestVerifyInit")]
    internal static partial int DigestVerifyInit(IntPtr context, IntPtr keyContext, IntPtr digest, IntPtr engine, IntPtr key);

    [LibraryImport(Library, EntryPoint = "EVP_DigestVerify")]
    internal static partial int DigestVerify(IntPtr context, byte* signature, nuint signatureLength, byte* message, nuint length);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_CTX_new")]
    internal static partial IntPtr KeyContextNew(IntPtr key, IntPtr engine);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_CTX_free")]
    internal static partial void KeyContextFree(IntPtr context);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_derive_init")]
    internal static partial int DeriveInit(IntPtr context);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_derive_set_peer")]
    internal static partial int DeriveSetPeer(IntPtr context, IntPtr peer);

    [LibraryImport(Library, EntryPoint = "EVP_PKEY_derive")]
    internal static partial int Derive(IntPtr context, byte* output, nuint* length);
}

/// <summary>
/// Owns one EVP_CIPHER_CTX: freed (and its key wiped by libcrypto) on disposal or, if that is forgotten, by the finalizer.
/// Callers on hot paths pass <see cref="Pointer"/> and keep the handle alive themselves, which saves the reference counting.
/// </summary>
internal sealed class CipherContext : SafeHandleZeroOrMinusOneIsInvalid
{
    internal CipherContext()
        : base(ownsHandle: true) => SetHandle(LibCrypto.Require(LibCrypto.CipherContextNew(), "EVP_CIPHER_CTX_new"));

    /// <summary>The context; throws once disposed.</summary>
    internal IntPtr Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    protected override bool ReleaseHandle()
    {
        LibCrypto.CipherContextFree(handle);
        return true;
    }
}
