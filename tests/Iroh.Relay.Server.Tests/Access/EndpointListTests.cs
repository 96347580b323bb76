using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Relay.Server.Access;

namespace Iroh.Relay.Server.Tests.Access;

public sealed class EndpointListTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"list-{Guid.NewGuid():n}");
    private readonly ManualTimeProvider _time = new();
    private readonly List<string> _problems = [];
    private readonly EndpointId _one = SecretKey.Generate().PublicKey;
    private readonly EndpointId _two = SecretKey.Generate().PublicKey;

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void A_file_has_an_id_a_line_with_remarks()
    {
        File.WriteAllText(_path, $"# my endpoints\n\n  {_one} # the first\n{_two}");
        EndpointList list = Open();
        Assert.True(list.Contains(_one) && list.Contains(_two));
        Assert.False(list.Contains(SecretKey.Generate().PublicKey));
    }

    [Fact]
    public void A_changed_file_is_read_again()
    {
        File.WriteAllText(_path, $"{_one}\n");
        EndpointList list = Open();
        File.WriteAllText(_path, $"# now the other\n{_two}\n");
        Assert.True(list.Contains(_one));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((false, true), (list.Contains(_one), list.Contains(_two)));
    }

    [Fact]
    public void A_changed_file_that_makes_no_sense_is_reported_once_and_changes_nothing()
    {
        File.WriteAllText(_path, $"{_one}\n");
        EndpointList list = Open();
        File.WriteAllText(_path, $"{_one}\nnobody\n");
        for (int i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(list.Contains(_one));
        }

        Assert.StartsWith($"Line 2 of {_path} is not an endpoint id", Assert.Single(_problems));
        File.Delete(_path);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(list.Contains(_one));
        Assert.Equal(2, _problems.Count);
    }

    [Fact]
    public void A_file_that_makes_no_sense_at_the_start_is_an_error_that_says_where()
    {
        File.WriteAllText(_path, $"{_one}\n\n{_two.ToString()[..63]}\n");
        Assert.StartsWith($"Line 3 of {_path}", Assert.Throws<RelayServerException>(Open).Message);
        File.Delete(_path);
        Assert.Contains(_path, Assert.Throws<RelayServerException>(Open).Message);
    }

    private EndpointList Open() => EndpointList.FromFile(_path, _time, _problems.Add);
}
