using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Protocol;

public sealed class EndpointIdCacheTests
{
    [Fact]
    public void Ids_come_back_whether_met_before_or_not()
    {
        var random = new SeededRandomSource(3);
        EndpointId[] ids = [.. Enumerable.Range(0, 5).Select(_ => SecretKey.Generate(random).PublicKey)];
        var cache = new EndpointIdCache();
        foreach (EndpointId id in ids.Concat(ids))
        {
            Assert.True(cache.TryGet(id.Span, out EndpointId found));
            Assert.Equal(id, found);
        }
    }

    [Fact]
    public void What_is_no_point_is_never_an_id()
    {
        byte[] bytes = new byte[32];
        bytes[0] = 2;
        var cache = new EndpointIdCache();
        Assert.False(cache.TryGet(bytes, out _));
        Assert.False(cache.TryGet(bytes, out _));
        Assert.False(cache.TryGet(bytes.AsSpan(0, 31), out _));
        Assert.False(cache.TryGet([], out _));
    }
}
