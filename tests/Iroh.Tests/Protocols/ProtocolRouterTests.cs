using System.Net;
using Blixard.Testing.Basics;
using Iroh.Protocols;
using Iroh.Quic;

namespace Iroh.Tests.Protocols;

public class ProtocolRouterTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = Patience.Test)]
    public async Task Each_connection_goes_to_the_handler_of_its_protocol()
    {
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync();
        await using var router = new ProtocolRouter(
            server, new Dictionary<string, IProtocolHandler> { ["one"] = new Answer("first"), ["two"] = new Answer("second") });
        Assert.Equal("first", await AskAsync(client, server, "one"));
        Assert.Equal("second", await AskAsync(client, server, "two"));
        IrohConnectException exception = await Assert.ThrowsAsync<IrohConnectException>(() => AskAsync(client, server, "three"));
        Assert.Equal(IrohConnectFailure.ProtocolNotSupported, exception.Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_handler_that_fails_ends_its_own_connection_and_no_other()
    {
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync();
        var failed = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var router = new ProtocolRouter(
            server,
            new Dictionary<string, IProtocolHandler> { ["good"] = new Answer("fine"), ["bad"] = new Failing() },
            (_, exception) => failed.TrySetResult(exception));
        await using IrohConnection bad = await client.ConnectAsync(server.Address, "bad", Cancel);
        QuicCloseReason reason = await bad.Closed.WaitAsync(Cancel);
        Assert.Equal((QuicCloseKind.ApplicationClosed, ProtocolRouter.HandlerFailedCode), (reason.Kind, reason.Code));
        Assert.IsType<InvalidDataException>(await failed.Task.WaitAsync(Cancel));
        Assert.Equal("fine", await AskAsync(client, server, "good"));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Stopping_cancels_the_handlers_and_waits_for_them()
    {
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync();
        var holding = new Holding();
        var router = new ProtocolRouter(server, new Dictionary<string, IProtocolHandler> { ["hold"] = holding });
        await using IrohConnection connection = await client.ConnectAsync(server.Address, "hold", Cancel);
        await holding.Began.Task.WaitAsync(Cancel);
        await router.DisposeAsync();
        Assert.True(holding.HasEnded);
        await connection.Closed.WaitAsync(Cancel);
        await Assert.ThrowsAsync<IrohConnectException>(() => client.ConnectAsync(server.Address, "hold", Cancel));
    }

    private static async Task<string> AskAsync(IrohEndpoint client, IrohEndpoint server, string protocol)
    {
        await using IrohConnection connection = await client.ConnectAsync(server.Address, protocol, Cancel);
        using var reader = new StreamReader(await connection.AcceptUnidirectionalStreamAsync(Cancel));
        return await reader.ReadToEndAsync(Cancel);
    }

    private static Task<IrohEndpoint> BindAsync() =>
        IrohEndpoint.BindAsync(new IrohEndpointOptions { BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)] }, Cancel);

    private sealed class Answer(string text) : IProtocolHandler
    {
        public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
        {
            await using QuicStream stream = await connection.OpenUnidirectionalStreamAsync(cancellationToken);
            await stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), cancellationToken);
            stream.CompleteWrites();
            await connection.Closed.WaitAsync(cancellationToken);
        }
    }

    private sealed class Failing : IProtocolHandler
    {
        public Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken) =>
            Task.FromException(new InvalidDataException("on purpose"));
    }

    private sealed class Holding : IProtocolHandler
    {
        public TaskCompletionSource Began { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool HasEnded { get; private set; }

        public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
        {
            Began.SetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }
            finally
            {
                HasEnded = true;
            }
        }
    }
}
