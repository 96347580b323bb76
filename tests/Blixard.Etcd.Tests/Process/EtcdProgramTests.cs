using Blixard.Etcd.Process;
using Blixard.Etcd.Tests.Support;

namespace Blixard.Etcd.Tests.Process;

public sealed class EtcdProgramTests : IDisposable
{
    private readonly EtcdDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task The_installed_etcd_is_found_with_its_version()
    {
        EtcdProgram program = await EtcdProgram.FindAsync("etcd", TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.True(File.Exists(program.Path));
        Assert.InRange(program.Version, EtcdProgram.VersionMin, EtcdProgram.VersionEnd);
        Assert.Equal(program, await EtcdProgram.FindAsync(program.Path, TimeProvider.System, TestContext.Current.CancellationToken));
    }

    [Fact]
    public Task A_name_that_is_not_on_the_path_is_missing() =>
        RefusedAsync("etcd-of-nobody", EtcdServerFailure.ProgramMissing, "no program 'etcd-of-nobody' on the PATH", "apt-get install etcd-server");

    [Fact]
    public Task A_path_without_a_file_is_missing() =>
        RefusedAsync(_directory.At("nothing"), EtcdServerFailure.ProgramMissing, _directory.At("nothing") + " is no file", "--etcd PROGRAM");

    [Fact]
    public Task A_file_that_is_not_executable_is_missing()
    {
        File.WriteAllText(_directory.At("data"), "");
        return RefusedAsync(_directory.At("data"), EtcdServerFailure.ProgramMissing, "is not executable");
    }

    [Theory]
    [InlineData("3.3.27")]
    [InlineData("2.3.8")]
    [InlineData("4.0.0")]
    [InlineData("4.0.0-alpha.1")]
    public Task Another_version_is_refused(string version) =>
        RefusedAsync(Script($"echo 'etcd Version: {version}'"), EtcdServerFailure.VersionRefused, "is etcd " + version.Split('-')[0], "from 3.4 to before 4.0");

    [Theory]
    [InlineData("echo 'hello there'", "printed 'hello there'")]
    [InlineData("true", "printed nothing")]
    [InlineData("echo 'etcd Version: three'", "printed 'etcd Version: three'")]
    [InlineData("echo 'etcd Version:'", "printed 'etcd Version:'")]
    [InlineData("while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done", "printed 'yyyyyyy")]
    public Task What_does_not_say_its_version_as_etcd_does_is_refused(string script, string message) =>
        RefusedAsync(Script(script), EtcdServerFailure.ProgramUnusable, message);

    [Fact]
    public Task A_file_that_is_no_program_is_refused()
    {
        string path = Script("");
        File.WriteAllBytes(path, [1, 2, 3, 4]);
        return RefusedAsync(path, EtcdServerFailure.ProgramUnusable, "could not be run");
    }

    [Theory]
    [InlineData("etcd Version: 3.5.9\nGit SHA: bdbbde998\n", "3.5.9")]
    [InlineData("etcd Version: 3.6.0-rc.3\n", "3.6.0")]
    [InlineData("etcd Version: 3.4.23", "3.4.23")]
    public void Versions_are_read_from_the_first_line(string answer, string version)
    {
        Assert.True(EtcdProgram.TryReadVersion(answer, out Version read));
        Assert.Equal(Version.Parse(version), read);
    }

    [Theory]
    [InlineData("etcd Version: 99999999999.1")]
    [InlineData("etcd Version: 3")]
    [InlineData("etcd Version: -1.2")]
    [InlineData("\netcd Version: 3.4.23")]
    public void What_is_no_version_is_not_read(string answer) => Assert.False(EtcdProgram.TryReadVersion(answer, out _));

    private static async Task RefusedAsync(string program, EtcdServerFailure failure, params string[] message)
    {
        EtcdServerException e = await Assert.ThrowsAsync<EtcdServerException>(
            () => EtcdProgram.FindAsync(program, TimeProvider.System, TestContext.Current.CancellationToken));
        Assert.Equal(failure, e.Failure);
        Assert.All(message, part => Assert.Contains(part, e.Message));
    }

    private string Script(string text)
    {
        string path = _directory.At("script");
        File.WriteAllText(path, "#!/bin/sh\n" + text + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
