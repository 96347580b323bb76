using System.Diagnostics.CodeAnalysis;

namespace Iroh.Base;

/// <summary>
/// The URL of a relay in its normal form: scheme and host in lower case, default port dropped, path never empty, query kept.
/// Equality is that of the normal forms. A trailing dot of the host is part of the name and makes another relay.
/// </summary>
public sealed class RelayUrl : IEquatable<RelayUrl>, IComparable<RelayUrl>
{
    /// <summary>The longest URL that is read; relays are named by hosts, so anything longer is an attack or a mistake.</summary>
    public const int MaxLength = 2048;

    private readonly string _text;

    private RelayUrl(Uri uri)
    {
        Uri = uri;
        _text = uri.AbsoluteUri;
    }

    /// <summary>The URL as the class library's type.</summary>
    public Uri Uri { get; }

    /// <summary>Reads an absolute http, https, ws or wss URL.</summary>
    /// <exception cref="FormatException">It is not one.</exception>
    public static RelayUrl Parse(string text) => TryParse(text, out RelayUrl? url)
        ? url
        : throw new FormatException($"'{text}' is not a relay URL: expected an absolute URL such as https://relay.example.com");

    /// <summary>Reads an absolute http, https, ws or wss URL of at most <see cref="MaxLength"/> characters.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out RelayUrl? url)
    {
        url = text is { Length: <= MaxLength }
            && Uri.TryCreate(text, UriKind.Absolute, out Uri? uri)
            && uri.Scheme is "http" or "https" or "ws" or "wss"
            && uri.Host.Length > 0
            ? new RelayUrl(new Uri(text, UriKind.Absolute))
            : null;
        return url is not null;
    }

    /// <inheritdoc/>
    public bool Equals(RelayUrl? other) => other is not null && _text == other._text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as RelayUrl);

    /// <inheritdoc/>
    public override int GetHashCode() => string.GetHashCode(_text, StringComparison.Ordinal);

    /// <summary>Ordinal order of the normal forms, the order of sorted sets on the wire.</summary>
    public int CompareTo(RelayUrl? other) => string.CompareOrdinal(_text, other?._text);

    /// <summary>The normal form.</summary>
    public override string ToString() => _text;
}
