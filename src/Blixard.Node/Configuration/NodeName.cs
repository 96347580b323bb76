using System.Text;

namespace Blixard.Node.Configuration;

/// <summary>The rule for names of nodes: an RFC 1123 label.</summary>
internal static class NodeName
{
    /// <summary>RFC 1123 §2.1 refers to RFC 1035 §2.3.4: a label has at most 63 octets.</summary>
    public const int LengthMax = 63;

    /// <summary>Says in a sentence what is wrong with a name, or null.</summary>
    public static string? Check(string name)
    {
        if (name.Length is 0 or > LengthMax)
            return $"A node's name has 1 to {LengthMax} characters; this one has {name.Length}.";
        return name.All(IsAllowed) && name[0] != '-' && name[^1] != '-'
            ? null
            : $"'{name}' cannot be a node's name: it consists of a-z, 0-9 and '-', and begins and ends with a letter or digit.";
    }

    /// <summary>The nearest name to any text: what does not fit becomes '-' or goes.</summary>
    public static string From(string text)
    {
        var name = new StringBuilder();
        foreach (char c in text.ToLowerInvariant())
        {
            if (name.Length < LengthMax && (IsAllowed(c) || name.Length > 0))
                name.Append(IsAllowed(c) ? c : '-');
        }

        string trimmed = name.ToString().Trim('-');
        return trimmed.Length > 0 ? trimmed : "node";
    }

    private static bool IsAllowed(char c) => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-';
}
