namespace Blixard.Containers.Images;

/// <summary>A SHA-256 digest as OCI writes it: <c>sha256:</c> and 64 lower-case hexadecimal digits.</summary>
internal readonly record struct Digest
{
    private const string Prefix = "sha256:";

    private Digest(string hex) => Hex = hex;

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public string Hex { get; }

    public static Digest Parse(string text, string where)
    {
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
            throw ContainerImageException.Unsupported($"the digest '{ByteText.Show(ByteText.FromUnicode(text))}' {where} is not a sha256 one");
        string hex = text[Prefix.Length..];
        bool isHex = hex.Length == 64 && hex.All(static c => char.IsAsciiHexDigitLower(c));
        return isHex ? new Digest(hex) : throw ContainerImageException.Malformed($"the digest '{ByteText.Show(ByteText.FromUnicode(text))}' {where} is malformed");
    }

    public static Digest Of(ReadOnlySpan<byte> content) => new(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content)));

    public static Digest FromHash(ReadOnlySpan<byte> hash) => new(Convert.ToHexStringLower(hash));

    public override string ToString() => Prefix + Hex;
}
