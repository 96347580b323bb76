namespace Blixard.Cli.Images;

/// <summary>Where the guest is that <c>./demo</c> packs: a folder in the user's cache (XDG base directory specification).</summary>
internal static class GuestCache
{
    public static string Directory
    {
        get
        {
            string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrEmpty(cache))
                cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(cache, "blixard", "guest");
        }
    }
}
