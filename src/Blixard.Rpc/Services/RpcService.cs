using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Blixard.Rpc.Services;

/// <summary>The handlers of one service. Filled once at start, then put into an <see cref="RpcServiceTable"/>, which refuses it
/// while a method of the .proto file has no handler.</summary>
public sealed class RpcService
{
    private readonly SortedDictionary<string, BoundMethod> _methods = new(StringComparer.Ordinal);
    private readonly ServiceDescriptor _descriptor;

    /// <summary>A service without handlers.</summary>
    /// <param name="file">The file's generated descriptor, such as <c>ClusterReflection.Descriptor</c>.</param>
    /// <param name="name">The service's short name, such as "Cluster".</param>
    /// <exception cref="ArgumentException">The file has no such service.</exception>
    public RpcService(FileDescriptor file, string name)
    {
        ArgumentNullException.ThrowIfNull(file);
        _descriptor = file.Services.FirstOrDefault(s => s.Name == name)
            ?? throw new ArgumentException($"{file.Name} has no service {name}", nameof(name));
    }

    /// <summary>The service's full name, such as "blixard.v1.Cluster".</summary>
    public string Name => _descriptor.FullName;

    internal IReadOnlyDictionary<string, BoundMethod> Methods => _methods;

    /// <summary>Binds a handler that answers one request with one response.</summary>
    /// <exception cref="ArgumentException">The method belongs to another service, is of another kind, or has a handler.</exception>
    public RpcService Unary<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, Func<TRequest, RpcContext, Task<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind(method, RpcMethodKind.Unary, async (exchange, context) =>
        {
            TRequest request = await ReadOnlyRequestAsync(exchange, method, context).ConfigureAwait(false);
            TResponse response = await handler(request, context).ConfigureAwait(false);
            await exchange.WriteAsync(response, context.CancellationToken).ConfigureAwait(false);
        });
    }

    /// <summary>Binds a handler that answers one request with a stream. It is asked for the next response when the transport has
    /// taken the one before: a slow caller slows the handler.</summary>
    /// <inheritdoc cref="Unary"/>
    public RpcService ServerStreaming<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, Func<TRequest, RpcContext, IAsyncEnumerable<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind(method, RpcMethodKind.ServerStreaming, async (exchange, context) =>
        {
            TRequest request = await ReadOnlyRequestAsync(exchange, method, context).ConfigureAwait(false);
            await WriteAllAsync(exchange, handler(request, context), context).ConfigureAwait(false);
        });
    }

    /// <summary>Binds a handler with streams in both directions. It reads the requests at its own pace, beside its responses.</summary>
    /// <inheritdoc cref="Unary"/>
    public RpcService Duplex<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method,
        Func<IAsyncEnumerable<TRequest>, RpcContext, IAsyncEnumerable<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind(method, RpcMethodKind.Duplex, (exchange, context) =>
            WriteAllAsync(exchange, handler(ReadAllAsync(exchange, method, context.CancellationToken), context), context));
    }

    /// <summary>Binds a second handler to a method that <see cref="Duplex"/> has bound: for callers that send one request, take one
    /// response, and then bytes as they are.</summary>
    /// <exception cref="ArgumentException">The method has no first handler.</exception>
    internal RpcService Bytes<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, Func<TRequest, ByteExchange<TResponse>, RpcContext, Task> handler)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        if (!_methods.TryGetValue(method.Name, out BoundMethod? bound) || bound.Method.Kind != RpcMethodKind.Duplex)
            throw new ArgumentException($"{method} has no duplex handler", nameof(method));
        _methods[method.Name] = bound with
        {
            ServeBytesAsync = async (exchange, context) =>
            {
                ReadOnlyMemory<byte> bytes = await exchange.ReadAsync(context.CancellationToken).ConfigureAwait(false)
                    ?? throw new RpcException(RpcStatusCode.InvalidArgument, $"{method} takes a request message; none came");
                await handler(Parse(method, bytes), new ByteExchange<TResponse>(exchange), context).ConfigureAwait(false);
            },
        };
        return this;
    }

    /// <summary>Refuses a service that lacks a handler.</summary>
    /// <exception cref="InvalidOperationException">A method of the .proto file has none; the text names it.</exception>
    internal void RequireComplete()
    {
        foreach (MethodDescriptor method in _descriptor.Methods)
            if (!_methods.ContainsKey(method.Name))
                throw new InvalidOperationException($"{Name}/{method.Name} has no handler");
    }

    private RpcService Bind(RpcMethod method, RpcMethodKind kind, Func<ServerExchange, RpcContext, Task> serve)
    {
        if (method.Service != Name)
            throw new ArgumentException($"{method} is not a method of {Name}", nameof(method));
        if (method.Kind != kind)
            throw new ArgumentException($"{method} is {method.Kind}, not {kind}", nameof(method));
        if (!_methods.TryAdd(method.Name, new BoundMethod(method, serve)))
            throw new ArgumentException($"{method} has a handler already", nameof(method));
        return this;
    }

    private static async Task WriteAllAsync<TResponse>(
        ServerExchange exchange, IAsyncEnumerable<TResponse> responses, RpcContext context)
        where TResponse : class, IMessage<TResponse>, new()
    {
        await foreach (TResponse response in responses.WithCancellation(context.CancellationToken).ConfigureAwait(false))
            await exchange.WriteAsync(response, context.CancellationToken).ConfigureAwait(false);
    }

    private static async IAsyncEnumerable<TRequest> ReadAllAsync<TRequest, TResponse>(
        ServerExchange exchange, RpcMethod<TRequest, TResponse> method, [EnumeratorCancellation] CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        while (await exchange.ReadAsync(cancellationToken).ConfigureAwait(false) is { } bytes)
            yield return Parse(method, bytes);
    }

    private static async Task<TRequest> ReadOnlyRequestAsync<TRequest, TResponse>(
        ServerExchange exchange, RpcMethod<TRequest, TResponse> method, RpcContext context)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ReadOnlyMemory<byte> bytes = await exchange.ReadAsync(context.CancellationToken).ConfigureAwait(false)
            ?? throw new RpcException(RpcStatusCode.InvalidArgument, $"{method} takes a request message; none came");
        TRequest request = Parse(method, bytes);
        if (await exchange.ReadAsync(context.CancellationToken).ConfigureAwait(false) is not null)
            throw new RpcException(RpcStatusCode.InvalidArgument, $"{method} takes one request message; another came");
        return request;
    }

    private static TRequest Parse<TRequest, TResponse>(RpcMethod<TRequest, TResponse> method, ReadOnlyMemory<byte> bytes)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        try
        {
            return method.RequestParser.ParseFrom(bytes.Span);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new RpcException(
                RpcStatusCode.InvalidArgument, $"{method} takes {method.Descriptor.InputType.FullName}; the bytes are none: {e.Message}");
        }
    }
}

/// <summary>A method with its handler.</summary>
/// <param name="Method">The method.</param>
/// <param name="ServeAsync">Reads the requests, calls the handler, writes the responses.</param>
/// <param name="ServeBytesAsync">The same for callers that take the stream; null = there are none.</param>
internal sealed record BoundMethod(
    RpcMethod Method, Func<ServerExchange, RpcContext, Task> ServeAsync, Func<ServerExchange, RpcContext, Task>? ServeBytesAsync = null);
