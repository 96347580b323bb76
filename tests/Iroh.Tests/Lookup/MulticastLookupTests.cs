using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Dns.Multicast;
using Iroh.Lookup;

namespace Iroh.Tests.Lookup;

/// <summary>On the loopback interface only: nothing leaves the machine.</summary>
public sealed class MulticastLookupTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact(Timeout = Patience.Test)]
    public async Task Two_endpoints_of_a_link_find_each_other()
    {
        await using MulticastLookup first = Start(out EndpointId firstId);
        await using MulticastLookup second = Start(out EndpointId secondId);
        EndpointRecord firstRecord = Record(firstId, "one", "127.0.0.1:1001"), secondRecord = Record(secondId, "two", "127.0.0.1:1002", "[::1]:1003");
        await first.PublishAsync(firstRecord);
        await second.PublishAsync(secondRecord);
        LookupResult found = await FindAsync(first, secondId);
        Assert.Equal(secondRecord, new EndpointRecord(found.Address, found.UserData));
        Assert.Equal("mdns", found.Provenance);
        found = await FindAsync(second, firstId);
        Assert.Equal(firstRecord, new EndpointRecord(found.Address, found.UserData));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Who_comes_later_is_found_by_a_search_that_has_begun()
    {
        await using MulticastLookup first = Start(out _);
        await using MulticastLookup second = Start(out EndpointId secondId);
        Task<LookupResult> search = FindAsync(first, secondId);
        await second.PublishAsync(Record(secondId, null, "127.0.0.1:1002"));
        Assert.Equal(secondId, (await search).Address.Id);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_change_reaches_whoever_still_searches()
    {
        await using MulticastLookup first = Start(out _);
        await using MulticastLookup second = Start(out EndpointId secondId);
        await second.PublishAsync(Record(secondId, null, "127.0.0.1:1002"));
        using var patience = new CancellationTokenSource(s_patience);
        var seen = new List<LookupResult>();
        await foreach (LookupResult result in first.ResolveAsync(secondId, patience.Token))
        {
            seen.Add(result);
            if (seen.Count == 2)
                break;
            await second.PublishAsync(Record(secondId, null, "127.0.0.1:2002"));
        }

        Assert.Equal([1002, 2002], seen.Select(result => result.Address.DirectAddresses.Single().Port));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Iroh_gets_an_answer_to_its_query_in_the_form_that_it_reads()
    {
        await using MulticastLookup ours = Start(out EndpointId id);
        using Socket theirs = OpenGroup();
        EndpointRecord record = Record(id, "data", "127.0.0.1:1002", "http://127.0.0.1:3340/");
        await ours.PublishAsync(record);
        await HearAsync(theirs, message => message.Announced.Contains(record));

        // A change is announced twice by itself; the third one is the answer.
        await HearAsync(theirs, message => message.Announced.Contains(record));
        using var answered = new CancellationTokenSource();
        Task asking = AskAsIrohAsync(theirs, answered.Token);
        await HearAsync(theirs, message => message.Announced.Contains(record));
        await answered.CancelAsync();
        await asking;
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Who_leaves_says_goodbye()
    {
        MulticastLookup leaving = Start(out EndpointId id);
        using Socket theirs = OpenGroup();
        await leaving.PublishAsync(Record(id, null, "127.0.0.1:1002"));
        await HearAsync(theirs, message => message.Announced.Any(record => record.Id == id));
        await leaving.DisposeAsync();
        await HearAsync(theirs, message => message.Leaving.Contains(id));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_search_for_nobody_ends_when_it_is_given_up_and_foreign_records_are_not_announced()
    {
        await using MulticastLookup lookup = Start(out _);
        using var stopping = new CancellationTokenSource();
        IAsyncEnumerator<LookupResult> search = lookup.ResolveAsync(SecretKey.Generate().PublicKey, stopping.Token).GetAsyncEnumerator();
        ValueTask<bool> next = search.MoveNextAsync();
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.AsTask().WaitAsync(s_patience));
        await search.DisposeAsync();
        await Assert.ThrowsAsync<ArgumentException>(
            () => lookup.PublishAsync(Record(SecretKey.Generate().PublicKey, null, "127.0.0.1:1")).AsTask());
    }

    private static bool IsLoopback(NetworkInterface candidate) => candidate.NetworkInterfaceType == NetworkInterfaceType.Loopback;

    private static MulticastLookup Start(out EndpointId id)
    {
        id = SecretKey.Generate().PublicKey;
        return MulticastLookup.Start(new MulticastLookupOptions { Id = id, Interfaces = IsLoopback });
    }

    private static EndpointRecord Record(EndpointId id, string? userData, params string[] addresses) => new(
        new EndpointAddress(
            id,
            addresses.Select(address => address.Contains("//", StringComparison.Ordinal)
                ? TransportAddress.Relay(RelayUrl.Parse(address))
                : TransportAddress.Ip(IPEndPoint.Parse(address)))),
        userData);

    private static async Task<LookupResult> FindAsync(MulticastLookup lookup, EndpointId id)
    {
        using var patience = new CancellationTokenSource(s_patience);
        while (true)
        {
            // A search lasts 10 s; on a machine that has other things to do that may be too short.
            await foreach (LookupResult result in lookup.ResolveAsync(id, patience.Token))
                return result;
        }
    }

    /// <summary>Asks everybody each 0.7 s: one query may go unanswered where others have answered it.</summary>
    private static async Task AskAsIrohAsync(Socket socket, CancellationToken answered)
    {
        try
        {
            while (true)
            {
                await socket.SendToAsync(MulticastMessage.Query([]), new IPEndPoint(MulticastMessage.GroupV4, MulticastMessage.Port), answered);
                await Task.Delay(TimeSpan.FromSeconds(0.7), answered);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static async Task HearAsync(Socket socket, Func<MulticastMessage, bool> isIt)
    {
        using var patience = new CancellationTokenSource(s_patience);
        byte[] buffer = new byte[MulticastMessage.LengthMax];
        while (true)
        {
            int length = await socket.ReceiveAsync(buffer, patience.Token);
            if (MulticastMessage.TryRead(buffer.AsSpan(0, length), out MulticastMessage? message) && isIt(message))
                return;
        }
    }

    private static Socket OpenGroup()
    {
        NetworkInterface loopback = NetworkInterface.GetAllNetworkInterfaces().First(IsLoopback);
        int index = loopback.GetIPProperties().GetIPv4Properties().Index;
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Any, MulticastMessage.Port));
        socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, new MulticastOption(MulticastMessage.GroupV4, index));
        socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastInterface, IPAddress.HostToNetworkOrder(index));
        return socket;
    }
}
