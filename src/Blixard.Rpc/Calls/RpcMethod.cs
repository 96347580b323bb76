using Google.Protobuf;
using Google.Protobuf.Reflection;
using IdempotencyLevel = Google.Protobuf.Reflection.MethodOptions.Types.IdempotencyLevel;

namespace Blixard.Rpc.Calls;

/// <summary>A method of a service as the .proto file describes it. Both sides hold the same object: servers bind a handler to
/// it, callers call it.</summary>
public abstract class RpcMethod
{
    private protected RpcMethod(MethodDescriptor descriptor, RpcMethodKind kind)
    {
        Descriptor = descriptor;
        Kind = kind;
        Service = descriptor.Service.FullName;
        Name = descriptor.Name;
        Path = $"/{Service}/{Name}";
        IdempotencyLevel level = descriptor.GetOptions()?.IdempotencyLevel ?? IdempotencyLevel.IdempotencyUnknown;
        IsIdempotent = level is IdempotencyLevel.Idempotent or IdempotencyLevel.NoSideEffects;
    }

    /// <summary>The service's full name, such as "blixard.v1.Cluster".</summary>
    public string Service { get; }

    /// <summary>The method's name, such as "Join".</summary>
    public string Name { get; }

    /// <summary>The path on gRPC, such as "/blixard.v1.Cluster/Join".</summary>
    public string Path { get; }

    /// <summary>Which sides are streams.</summary>
    public RpcMethodKind Kind { get; }

    /// <summary>True when doing it twice is the same as once (<c>idempotency_level</c> in the .proto file).</summary>
    public bool IsIdempotent { get; }

    internal MethodDescriptor Descriptor { get; }

    /// <inheritdoc/>
    public override string ToString() => Path;

    /// <summary>A method with one request and one response.</summary>
    /// <param name="file">The file's generated descriptor, such as <c>ClusterReflection.Descriptor</c>.</param>
    /// <param name="service">The service's short name.</param>
    /// <param name="name">The method's name.</param>
    /// <exception cref="ArgumentException">There is no such service or method, or its types or streams are others.</exception>
    public static RpcMethod<TRequest, TResponse> Unary<TRequest, TResponse>(FileDescriptor file, string service, string name)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new() =>
        new(Find(file, service, name), RpcMethodKind.Unary);

    /// <summary>A method with one request and a stream of responses.</summary>
    /// <inheritdoc cref="Unary"/>
    public static RpcMethod<TRequest, TResponse> ServerStreaming<TRequest, TResponse>(
        FileDescriptor file, string service, string name)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new() =>
        new(Find(file, service, name), RpcMethodKind.ServerStreaming);

    /// <summary>A method with streams in both directions.</summary>
    /// <inheritdoc cref="Unary"/>
    public static RpcMethod<TRequest, TResponse> Duplex<TRequest, TResponse>(FileDescriptor file, string service, string name)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new() =>
        new(Find(file, service, name), RpcMethodKind.Duplex);

    private static MethodDescriptor Find(FileDescriptor file, string service, string name)
    {
        ArgumentNullException.ThrowIfNull(file);
        ServiceDescriptor descriptor = file.Services.FirstOrDefault(s => s.Name == service)
            ?? throw new ArgumentException($"{file.Name} has no service {service}", nameof(service));
        return descriptor.FindMethodByName(name)
            ?? throw new ArgumentException($"{descriptor.FullName} has no method {name}", nameof(name));
    }
}

/// <summary>A method with its message types.</summary>
/// <typeparam name="TRequest">The request message.</typeparam>
/// <typeparam name="TResponse">The response message.</typeparam>
public sealed class RpcMethod<TRequest, TResponse> : RpcMethod
    where TRequest : class, IMessage<TRequest>, new()
    where TResponse : class, IMessage<TResponse>, new()
{
    internal RpcMethod(MethodDescriptor descriptor, RpcMethodKind kind)
        : base(descriptor, kind)
    {
        if (descriptor.InputType.ClrType != typeof(TRequest))
            throw new ArgumentException($"{Path} takes {descriptor.InputType.FullName}, not {typeof(TRequest).Name}");
        if (descriptor.OutputType.ClrType != typeof(TResponse))
            throw new ArgumentException($"{Path} returns {descriptor.OutputType.FullName}, not {typeof(TResponse).Name}");
        if (descriptor.IsClientStreaming != (kind == RpcMethodKind.Duplex))
            throw new ArgumentException($"{Path} is described with other request streams than {kind}");
        if (descriptor.IsServerStreaming != (kind != RpcMethodKind.Unary))
            throw new ArgumentException($"{Path} is described with other response streams than {kind}");
    }

    internal MessageParser<TRequest> RequestParser { get; } = new(static () => new TRequest());

    internal MessageParser<TResponse> ResponseParser { get; } = new(static () => new TResponse());
}
