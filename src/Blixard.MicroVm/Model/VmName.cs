namespace Blixard.MicroVm.Model;

/// <summary>
/// The rule for names of VMs: an RFC 1123 label, so that a name can be a directory, a host name in the guest and a part of
/// a DNS name without any quoting.
/// </summary>
public static class VmName
{
    /// <summary>The longest name in characters (RFC 1123 §2.1 refers to RFC 1035 §2.3.4: a label has at most 63 octets).</summary>
    public const int LengthMax = 63;

    /// <summary>Says what is wrong with <paramref name="name"/>, or null if it is a valid name.</summary>
    public static string? Check(string? name)
    {
        if (string.IsNullOrEmpty(name))
            return "a VM needs a name";
        if (name.Length > LengthMax)
            return $"the VM name is {name.Length} characters long; {LengthMax} are allowed";
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-')
                return "a VM name consists of a-z, 0-9 and '-'";
        }

        return name[0] == '-' || name[^1] == '-' ? "a VM name neither starts nor ends with '-'" : null;
    }
}
