using Blixard.Containers.Tree;

namespace Blixard.Containers.Tests.Tree;

public sealed class AccountsTests
{
    private static readonly byte[] s_passwd = "# a comment\nroot:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n1234:x:7:8::/odd:/bin/sh\nbroken:x:many:1::/:\n"u8.ToArray();

    private static readonly byte[] s_group = "root:x:0:\napp:x:1001:\nlog:x:50:app,root\naudio:x:60:app\nempty\n"u8.ToArray();

    [Theory]
    [InlineData("", "0:0 50 /root")]
    [InlineData("root", "0:0 50 /root")]
    [InlineData("app", "1000:1001 50 60 /home/app")]
    [InlineData("1000", "1000:1001 50 60 /home/app")]
    [InlineData("app:log", "1000:50 /home/app")]
    [InlineData("app:77", "1000:77 /home/app")]
    [InlineData("4321", "4321:0 /")]
    [InlineData("4321:log", "4321:50 /")]
    [InlineData("1234", "7:8 /odd")]
    [InlineData(":app", "0:1001 /root")]
    public void Users_are_found_as_docker_finds_them(string user, string expected)
    {
        Account account = Accounts.Find(user, s_passwd, s_group);
        Assert.Equal(expected, string.Join(' ', [$"{account.UserId}:{account.GroupId}", .. account.Groups, account.Home]));
    }

    [Theory]
    [InlineData("nobody", "the user 'nobody', who is not in its /etc/passwd")]
    [InlineData("app:nogroup", "the group 'nogroup', which is not in its /etc/group")]
    [InlineData("broken", "'broken'")]
    [InlineData("4294967295", "'4294967295'")]
    [InlineData("-1", "'-1'")]
    public void Who_is_not_there_is_named(string user, string message) =>
        Assert.Contains(message, Assert.Throws<ContainerImageException>(() => Accounts.Find(user, s_passwd, s_group)).Message);

    [Fact]
    public void Without_the_files_numbers_will_do() =>
        Assert.Equivalent(new Account(5, 6, [], "/"), Accounts.Find("5:6", [], []));
}
