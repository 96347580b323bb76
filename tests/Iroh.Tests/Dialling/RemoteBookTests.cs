using System.Net;
using Iroh.Base;
using Iroh.Dialling;

namespace Iroh.Tests.Dialling;

public class RemoteBookTests
{
    [Fact]
    public void The_address_learnt_or_confirmed_last_comes_first()
    {
        var book = new RemoteBook();
        EndpointId id = SecretKey.Generate().PublicKey;
        Assert.True(book.Add(id, [Ip(1), Ip(2)]));
        Assert.False(book.Add(id, [Ip(1)]));
        Assert.Equal([Ip(1), Ip(2)], book.Find(id));
        Assert.Empty(book.Find(SecretKey.Generate().PublicKey));
    }

    [Fact]
    public void Addresses_and_endpoints_are_forgotten_when_there_are_too_many()
    {
        var book = new RemoteBook();
        EndpointId first = Id(0);
        for (int i = 1; i <= RemoteBook.AddressesMax + 1; i++)
            book.Add(first, [Ip(i)]);
        Assert.Equal(RemoteBook.AddressesMax, book.Find(first).Count);
        Assert.DoesNotContain(Ip(1), book.Find(first));

        for (int i = 1; i <= RemoteBook.RemotesMax; i++)
            book.Add(Id(i), [Ip(1)]);
        Assert.Empty(book.Find(first));
        Assert.NotEmpty(book.Find(Id(1)));
    }

    private static TransportAddress Ip(int port) => TransportAddress.Ip(new IPEndPoint(IPAddress.Loopback, port));

    private static EndpointId Id(int number)
    {
        byte[] seed = new byte[32];
        BitConverter.TryWriteBytes(seed, number + 1);
        return SecretKey.FromBytes(seed).PublicKey;
    }
}
