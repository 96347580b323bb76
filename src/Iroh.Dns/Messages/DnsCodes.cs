namespace Iroh.Dns.Messages;

/// <summary>The types of records that are understood (IANA "Resource Record TYPEs"). Any other 16-bit number is a type, too.</summary>
public enum DnsType
{
    /// <summary>No type; never on the wire.</summary>
    None = 0,

    /// <summary>An IPv4 address.</summary>
    A = 1,

    /// <summary>A name server of a zone.</summary>
    NS = 2,

    /// <summary>The name is an alias.</summary>
    CNAME = 5,

    /// <summary>Start of a zone.</summary>
    SOA = 6,

    /// <summary>A pointer to another name.</summary>
    PTR = 12,

    /// <summary>Text.</summary>
    TXT = 16,

    /// <summary>An IPv6 address (RFC 3596).</summary>
    AAAA = 28,

    /// <summary>Where a service is (RFC 2782).</summary>
    SRV = 33,

    /// <summary>Extension mechanisms (RFC 6891), not a record of a zone.</summary>
    OPT = 41,

    /// <summary>Asks for all types.</summary>
    ANY = 255,
}

/// <summary>How a server answered (RFC 1035 §4.1.1).</summary>
public enum DnsResponseCode
{
    /// <summary>No error. Without an answer: the name exists, but has no record of that type.</summary>
    NoError = 0,

    /// <summary>The query was malformed.</summary>
    FormatError = 1,

    /// <summary>The server has a problem.</summary>
    ServerFailure = 2,

    /// <summary>The name does not exist.</summary>
    NameError = 3,

    /// <summary>The kind of query is not supported.</summary>
    NotImplemented = 4,

    /// <summary>The server does not want to answer, because the name is not in its zones.</summary>
    Refused = 5,

    /// <summary>The version of EDNS is not supported (RFC 6891 §9); takes the extended bits of an OPT record.</summary>
    BadVersion = 16,
}

/// <summary>The class of records (RFC 1035 §3.2.4).</summary>
public static class DnsClass
{
    /// <summary>The Internet.</summary>
    public const ushort Internet = 1;
}
