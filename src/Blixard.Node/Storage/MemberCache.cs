using Blixard.Cluster.Membership;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Node.Storage;

/// <summary>
/// The members as they were known last, in <c>members.pb</c>: a <see cref="WatchMembersResponse"/> that holds everybody. After a
/// restart of all servers the store answers only when a quorum of them has found each other, and whom to find is written here.
/// </summary>
internal static class MemberCache
{
    // A record with all its addresses and labels is smaller than 20 KiB; this holds thousands. A longer file is not ours.
    private const int LengthMax = 64 << 20;

    /// <summary>Reads the file; nobody if there is none or if it is damaged.</summary>
    /// <param name="path">The file.</param>
    /// <param name="problem">Why it could not be read, for people; "" if it could or is not there.</param>
    public static IReadOnlyList<Member> Load(string path, out string problem)
    {
        problem = "";
        try
        {
            if (!File.Exists(path))
                return [];
            if (new FileInfo(path).Length > LengthMax)
                throw new IOException($"it is longer than {LengthMax} bytes");
            return [.. WatchMembersResponse.Parser.ParseFrom(File.ReadAllBytes(path)).Members.Where(IsSound)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidProtocolBufferException)
        {
            problem = $"{path}, the list of members of the last run, cannot be read and is not used: {e.Message}";
            return [];
        }
    }

    /// <summary>Writes the file so that a crash leaves either the old or the new one.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Save(string path, IEnumerable<Member> members)
    {
        var list = new WatchMembersResponse { Snapshot = true };
        list.Members.AddRange(members.OrderBy(member => member.Node.Name, StringComparer.Ordinal));
        string temporary = path + ".new";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            list.WriteTo(file);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    private static bool IsSound(Member member) => member.Node is not null && NodeRules.Check(member.Node, member.P2PNodeAddr) is null;
}
