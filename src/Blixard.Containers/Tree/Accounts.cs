using System.Globalization;

namespace Blixard.Containers.Tree;

/// <summary>As whom a program runs.</summary>
/// <param name="UserId">Its user.</param>
/// <param name="GroupId">Its group.</param>
/// <param name="Groups">Further groups.</param>
/// <param name="Home">The user's home directory; "/" if unknown.</param>
internal sealed record Account(uint UserId, uint GroupId, IReadOnlyList<uint> Groups, string Home);

/// <summary>Finds the user of an image's configuration in the image's <c>/etc/passwd</c> and <c>/etc/group</c>. Pure.</summary>
internal static class Accounts
{
    // NGROUPS_MAX of Linux is 65536; the list travels in the launcher, and real users have a dozen.
    private const int GroupsMax = 1024;

    /// <summary>Finds a user: <c>USER</c>, <c>UID</c>, and each with <c>:GROUP</c> or <c>:GID</c> (OCI image-spec 1.1, config.md, "User").
    /// Without a group it is the user's own with those that list it; a number without an entry has group 0.</summary>
    /// <param name="user">What the configuration says; empty = 0.</param>
    /// <param name="passwd">The content of /etc/passwd; empty if there is none.</param>
    /// <param name="group">The content of /etc/group; empty if there is none.</param>
    /// <exception cref="ContainerImageException">A name is in neither file.</exception>
    public static Account Find(string user, ReadOnlySpan<byte> passwd, ReadOnlySpan<byte> group)
    {
        user = ByteText.FromUnicode(user);
        int colon = user.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? user : user[..colon], groupName = colon < 0 ? "" : user[(colon + 1)..];
        name = name.Length == 0 ? "0" : name;
        string[]? line = Lines(passwd, 6).Find(fields => fields[0] == name) ?? (TryNumber(name, out _) ? Lines(passwd, 6).Find(fields => SameNumber(fields[2], name)) : null);
        if (!TryNumber(line?[2] ?? name, out uint userId))
            throw ContainerImageException.NotFound($"the image runs as the user '{ByteText.Show(name)}', who is not in its /etc/passwd");
        string home = line?[5] is { Length: > 0 } path ? path : "/";
        List<string[]> groups = Lines(group, 3);
        if (groupName.Length > 0)
        {
            string? found = groups.Find(fields => fields[0] == groupName)?[2];
            return TryNumber(found ?? groupName, out uint groupId)
                ? new Account(userId, groupId, [], home)
                : throw ContainerImageException.NotFound($"the image runs in the group '{ByteText.Show(groupName)}', which is not in its /etc/group");
        }

        uint own = line is not null && TryNumber(line[3], out uint primary) ? primary : 0;
        if (line is null)
            return new Account(userId, own, [], home);
        uint[] further =
        [
            .. groups.Where(fields => fields.Length > 3 && fields[3].Split(',').Contains(line[0]))
                .Select(static fields => TryNumber(fields[2], out uint id) ? id : (uint?)null).OfType<uint>().Distinct(),
        ];
        return further.Length <= GroupsMax
            ? new Account(userId, own, further, home)
            : throw ContainerImageException.TooLarge($"the user '{ByteText.Show(name)}' is in {further.Length} groups; {GroupsMax} are possible");
    }

    private static List<string[]> Lines(ReadOnlySpan<byte> content, int fieldsMin) =>
        [.. ByteText.From(content).Split('\n').Select(static line => line.TrimEnd('\r').Split(':')).Where(fields => fields.Length >= fieldsMin)];

    private static bool SameNumber(string text, string other) => TryNumber(text, out uint a) && TryNumber(other, out uint b) && a == b;

    // The highest number means "unchanged" to the system calls.
    private static bool TryNumber(string text, out uint number) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number != uint.MaxValue;
}
