using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Blixard.MicroVm.Qemu;

namespace Blixard.MicroVm.Tests.Qemu;

public sealed class QmpClientTests : IAsyncDisposable
{
    private const string Greeting = """{"QMP": {"version": {"qemu": {"micro": 1, "minor": 0, "major": 9}}, "capabilities": []}}""";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _limit = new(Limit);
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private StreamReader? _requests;
    private NetworkStream? _server;

    private string SocketPath => _directory.File("qmp.sock");

    public async ValueTask DisposeAsync()
    {
        _requests?.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
        _listener.Dispose();
        _limit.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Answers_are_matched_by_id_in_any_order()
    {
        await using QmpClient client = await ConnectAsync();
        Assert.Equal("9.0.1", client.Version);
        Task<JsonElement> first = client.ExecuteAsync("one", null, _limit.Token);
        long firstId = await ReadIdAsync("one");
        Task<JsonElement> second = client.ExecuteAsync("two", null, _limit.Token);
        long secondId = await ReadIdAsync("two");

        await SendAsync($$"""{"return": 2, "id": {{secondId}}}""", $$"""{"return": 77, "id": 999}""", $$"""{"return": 1, "id": {{firstId}}}""");

        Assert.Equal(1, (await first).GetInt32());
        Assert.Equal(2, (await second).GetInt32());
    }

    [Fact]
    public async Task A_refused_command_fails_alone()
    {
        await using QmpClient client = await ConnectAsync();
        Task<JsonElement> answer = client.ExecuteAsync("no-such", null, _limit.Token);
        await SendAsync($$"""{"error": {"class": "CommandNotFound", "desc": "not found"}, "id": {{await ReadIdAsync("no-such")}}}""");
        QmpException e = await Assert.ThrowsAsync<QmpException>(() => answer);
        Assert.Equal(QmpFailure.Command, e.Failure);
        Assert.Equal("not found (CommandNotFound)", e.Message);

        answer = client.ExecuteAsync("other", null, _limit.Token);
        await SendAsync($$"""{"return": {}, "id": {{await ReadIdAsync("other")}}}""");
        Assert.Equal(JsonValueKind.Object, (await answer).ValueKind);
    }

    [Fact]
    public async Task Events_come_in_order_and_end_with_the_connection()
    {
        await using QmpClient client = await ConnectAsync();
        await SendAsync("""{"event": "STOP"}""", "", """{"event": "SHUTDOWN", "data": {"reason": "guest-reset"}}""");
        await HangUpAsync();
        List<string> names = [];
        await foreach (QmpMessage.Event happened in client.ReadEventsAsync(_limit.Token))
            names.Add(happened.Name);
        Assert.Equal(["STOP", "SHUTDOWN"], names);
    }

    [Fact]
    public async Task The_newest_events_are_kept_when_nobody_reads()
    {
        await using QmpClient client = await ConnectAsync();
        for (int i = 0; i < 1000; i++)
            await SendAsync($$"""{"event": "E{{i}}"}""");
        await HangUpAsync();
        await Assert.ThrowsAsync<QmpException>(() => client.ExecuteAsync("x", null, _limit.Token));
        List<string> names = [];
        await foreach (QmpMessage.Event happened in client.ReadEventsAsync(_limit.Token))
            names.Add(happened.Name);
        Assert.Equal("E999", names[^1]);
        Assert.True(names.Count < 1000);
    }

    [Fact]
    public async Task A_hang_up_fails_what_waits_and_what_comes()
    {
        await using QmpClient client = await ConnectAsync();
        Task<JsonElement> waiting = client.ExecuteAsync("one", null, _limit.Token);
        await ReadIdAsync("one");
        await HangUpAsync();
        Assert.Equal(QmpFailure.Closed, (await Assert.ThrowsAsync<QmpException>(() => waiting)).Failure);
        Assert.Equal(QmpFailure.Closed, (await Assert.ThrowsAsync<QmpException>(() => client.ExecuteAsync("two", null, _limit.Token))).Failure);
    }

    [Fact]
    public async Task A_line_without_end_closes_the_connection()
    {
        await using QmpClient client = await ConnectAsync();
        Task<JsonElement> waiting = client.ExecuteAsync("one", null, _limit.Token);
        await ReadIdAsync("one");
        try
        {
            await _server!.WriteAsync(new byte[QmpClient.LineLengthMax + 1], _limit.Token);
        }
        catch (IOException)
        {
            // The client was quicker.
        }

        QmpException e = await Assert.ThrowsAsync<QmpException>(() => waiting);
        Assert.Equal(QmpFailure.Protocol, e.Failure);
        Assert.Contains("longer", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_line_within_the_limit_is_read()
    {
        await using QmpClient client = await ConnectAsync();
        Task<JsonElement> waiting = client.ExecuteAsync("one", null, _limit.Token);
        string text = new('x', 100_000);
        await SendAsync($$"""{"return": "{{text}}", "id": {{await ReadIdAsync("one")}}}""");
        Assert.Equal(text, (await waiting).GetString());
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.2")]
    [InlineData("{\"return\": {}, \"id\": 1}")]
    [InlineData("{\"event\": \"STOP\"}")]
    public async Task Who_does_not_greet_is_no_QEMU(string line)
    {
        Task<QmpClient> connecting = OpenAsync();
        await SendAsync(line);
        Assert.Equal(QmpFailure.Protocol, (await Assert.ThrowsAsync<QmpException>(() => connecting)).Failure);
    }

    [Fact]
    public async Task A_silent_server_is_given_up_when_cancelled()
    {
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(_limit.Token);
        Task<QmpClient> connecting = OpenAsync(cancelled.Token);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);
    }

    private async Task<QmpClient> ConnectAsync()
    {
        Task<QmpClient> connecting = OpenAsync();
        await SendAsync(Greeting);
        await SendAsync($$"""{"return": {}, "id": {{await ReadIdAsync("qmp_capabilities")}}}""");
        return await connecting;
    }

    private Task<QmpClient> OpenAsync(CancellationToken? cancellationToken = null)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _listener.Listen();
        Task<QmpClient> connecting = QmpClient.ConnectAsync(SocketPath, cancellationToken ?? _limit.Token);
        _server = new NetworkStream(_listener.Accept(), ownsSocket: true);
        _requests = new StreamReader(_server, Encoding.UTF8, leaveOpen: true);
        return connecting;
    }

    private async Task<long> ReadIdAsync(string command)
    {
        string? line = await _requests!.ReadLineAsync(_limit.Token);
        using JsonDocument request = JsonDocument.Parse(line!);
        Assert.Equal(command, request.RootElement.GetProperty("execute").GetString());
        return request.RootElement.GetProperty("id").GetInt64();
    }

    private async Task SendAsync(params string[] lines) =>
        await _server!.WriteAsync(Encoding.UTF8.GetBytes(string.Concat(lines.Select(static line => line + "\r\n"))), _limit.Token);

    private ValueTask HangUpAsync() => _server!.DisposeAsync();
}
