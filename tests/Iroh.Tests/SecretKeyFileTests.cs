using Iroh.Base;

namespace Iroh.Tests;

public sealed class SecretKeyFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("iroh-key-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_missing_file_is_created_for_its_owner_only_and_read_again()
    {
        SecretKey created = SecretKeyFile.LoadOrCreate(Path);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
        Assert.Equal(created.PublicKey, SecretKeyFile.LoadOrCreate(Path).PublicKey);
        Assert.Equal(["key"], Directory.GetFiles(_folder).Select(System.IO.Path.GetFileName));
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void A_file_that_others_can_use_is_refused_with_the_remedy(UnixFileMode mode)
    {
        SecretKeyFile.LoadOrCreate(Path);
        File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | mode);
        Assert.Contains("chmod 600", Assert.Throws<SecretKeyFileException>(() => SecretKeyFile.LoadOrCreate(Path)).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a key")]
    [InlineData("000102")]
    public void A_file_without_a_key_is_refused_and_left_alone(string content)
    {
        File.WriteAllText(Path, content);
        File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Contains("does not hold a secret key", Assert.Throws<SecretKeyFileException>(() => SecretKeyFile.LoadOrCreate(Path)).Message);
        Assert.Equal(content, File.ReadAllText(Path));
    }

    [Fact]
    public void A_missing_folder_is_named() =>
        Assert.Contains(_folder, Assert.Throws<SecretKeyFileException>(() => SecretKeyFile.LoadOrCreate(System.IO.Path.Combine(_folder, "no", "key"))).Message);

    [Fact]
    public void Many_that_create_it_at_once_get_the_same_key()
    {
        EndpointId[] ids = new EndpointId[16];
        Parallel.For(0, ids.Length, i => ids[i] = SecretKeyFile.LoadOrCreate(Path).PublicKey);
        Assert.Single(ids.Distinct());
    }
}
