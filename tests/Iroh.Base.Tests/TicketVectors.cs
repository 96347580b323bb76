using System.Net;

namespace Iroh.Base.Tests;

/// <summary>Tickets made by iroh 1.0.2 for the key with the seed 00 01 … 1f and for the seeds of its unit tests.</summary>
public static class TicketVectors
{
    public const string Id = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";
    public const string OnesId = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

    public static TheoryData<string, string?, string[], string> All => new()
    {
        {
            Id, null, [],
            "endpointaab2cb576phbbpq5odorrz2lycmwpzgwgcn2kdk7dxoimzaskuy3qaa"
        },
        {
            Id, "https://relay.example.com", ["192.168.1.10:4433", "[2001:db8::1]:443"],
            "endpointaab2cb576phbbpq5odorrz2lycmwpzgwgcn2kdk7dxoimzaskuy3qayadjuhi5dqom5c6l3smvwgc6jomv4gc3lqnrss4y3pnuxqcagavaaqvujcaeasaainxaaaaaaaaaaaaaaaaaaadoyd"
        },
        {
            Id, "http://127.0.0.1:3340", ["127.0.0.1:65535", "10.0.0.1:1"],
            "endpointaab2cb576phbbpq5odorrz2lycmwpzgwgcn2kdk7dxoimzaskuy3qayaczuhi5dqhixs6mjsg4xdalrqfyytumztgqyc6aiabiaaaaibaeah6aaaah776ay"
        },
        {
            Id, "https://euc1-1.relay.n0.iroh.link.", ["[::1]:1", "9.9.9.9:9", "1.1.1.1:65000", "1.1.1.1:80"],
            "endpointaab2cb576phbbpq5odorrz2lycmwpzgwgcn2kdk7dxoimzaskuy3qbiaenuhi5dqom5c6l3fovrtcljrfzzgk3dbpexg4mbonfzg62bonruw42zof4aqaaibaeavaaiaaeaqcapi7mbqcaajbeeqscibaeaaaaaaaaaaaaaaaaaaaaaaaaaqc"
        },
        {
            "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6", null, [],
            "endpointacxfr74igmsbvsbnn73wcecg5vt3kbzncqwfrdiampuufwnhkublmaa"
        },
        {
            OnesId, "https://relay.example.com./", [],
            "endpointacfiry65oqe7dfp5klns2pf2lvzmuzyjx4ozieq36n2iqanub5xvyaiadnuhi5dqom5c6l3smvwgc6jomv4gc3lqnrss4y3pnuxc6"
        },
        {
            OnesId, "http://127.0.0.1:3340", ["127.0.0.1:1234"],
            "endpointacfiry65oqe7dfp5klns2pf2lvzmuzyjx4ozieq36n2iqanub5xvyaqaczuhi5dqhixs6mjsg4xdalrqfyytumztgqyc6aiap4aaaaosbe"
        },
        {
            OnesId, "https://use1-1.relay.iroh.network./",
            ["[2001:db8::1]:65535", "10.0.0.2:80", "10.0.0.1:443", "[::1]:1", "10.0.0.1:80"],
            "endpointacfiry65oqe7dfp5klns2pf2lvzmuzyjx4ozieq36n2iqanub5xvybqaenuhi5dqom5c6l3vonstcljrfzzgk3dbpexgs4tpnaxg4zluo5xxe2zof4aqacqaaaavaaiabiaaaan3amaqacqaaabfaaibaaaaaaaaaaaaaaaaaaaaaaaaaeaqcajaaeg3qaaaaaaaaaaaaaaaaaab777qg"
        },
    };

    public static EndpointAddress Address(string id, string? relay, string[] direct)
    {
        var addresses = direct.Select(text => TransportAddress.Ip(IPEndPoint.Parse(text))).ToList();
        if (relay is not null)
            addresses.Add(TransportAddress.Relay(RelayUrl.Parse(relay)));
        return new EndpointAddress(EndpointId.Parse(id), addresses);
    }
}
