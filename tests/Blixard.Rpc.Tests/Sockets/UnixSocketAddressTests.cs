using System.Net.Sockets;
using Blixard.Rpc.Sockets;

namespace Blixard.Rpc.Tests.Sockets;

public sealed class UnixSocketAddressTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-socket-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(120)]
    [InlineData(240)]
    public async Task A_socket_is_bound_and_reached_whatever_the_length_of_its_path(int deeper)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, new string('d', deeper))).FullName;
        string path = Path.Combine(folder, new string('s', 80));
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using (UnixSocketAddress address = UnixSocketAddress.Open(path))
            listener.Bind(address.EndPoint);
        listener.Listen(1);
        Assert.True(File.Exists(path));

        await using NetworkStream caller = await UnixSocketAddress.ConnectAsync(path, Cancel);
        using Socket accepted = await listener.AcceptAsync(Cancel);
        await caller.WriteAsync("hello"u8.ToArray(), Cancel);
        byte[] received = new byte[5];
        await new NetworkStream(accepted).ReadExactlyAsync(received, Cancel);
        Assert.Equal("hello"u8.ToArray(), received);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(120)]
    public async Task A_socket_that_is_not_there_is_an_error_at_once(int length) =>
        await Assert.ThrowsAnyAsync<SocketException>(async () => await UnixSocketAddress.ConnectAsync(
            Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, new string('d', length))).FullName, "none"), Cancel));

    [Fact]
    public void A_folder_that_is_not_there_is_named()
    {
        string folder = Path.Combine(_folder, new string('x', 120));
        Assert.Contains(folder, Assert.Throws<IOException>(() => UnixSocketAddress.Open(Path.Combine(folder, "socket"))).Message);
    }

    [Fact]
    public void A_name_that_is_too_long_by_itself_is_refused() =>
        Assert.Throws<ArgumentException>(() => UnixSocketAddress.Open(Path.Combine(_folder, new string('s', 108))));
}
