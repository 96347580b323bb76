using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Dns.Messages;
using Iroh.Dns.Pkarr;
using Iroh.Lookup.Resolvers;

namespace Iroh.Lookup;

/// <summary>Looks for the TXT records of endpoints in a DNS zone, with the staggered queries of iroh: a lost packet costs 200 ms.</summary>
public sealed class DnsLookup : IAddressLookup
{
    // When each query goes out, and how long it may take; as iroh.
    private static readonly TimeSpan[] s_delays = [.. new[] { 0, 200, 300, 600, 1000, 2000, 3000 }.Select(delay => TimeSpan.FromMilliseconds(delay))];
    private static readonly TimeSpan s_queryTimeout = TimeSpan.FromSeconds(3);

    private readonly DnsLookupOptions _options;
    private readonly DomainName _origin;

    /// <summary>Asks for names below an origin.</summary>
    /// <exception cref="FormatException">The origin is not a domain name.</exception>
    /// <exception cref="ArgumentException">There is nobody to ask, or the origin is too long for a name below it.</exception>
    public DnsLookup(DnsLookupOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Servers is { Count: 0 } && options.HttpsServers.Count == 0)
            throw new ArgumentException("A look-up over DNS needs a server to ask: leave Servers null for those of the operating system.", nameof(options));
        _options = options;
        _origin = DomainName.Parse(options.Origin);
        NameOf(default);
    }

    /// <inheritdoc/>
    public string Name => "dns";

    /// <inheritdoc/>
    public async IAsyncEnumerable<LookupResult> ResolveAsync(
        EndpointId id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (await SearchAsync(id, cancellationToken).ConfigureAwait(false) is { } record)
            yield return new LookupResult(record.Address, Name, UpdatedAt: null, record.UserData);
    }

    private DomainName NameOf(EndpointId id) => _origin.Prepend(id.ToZBase32()).Prepend(PkarrPacket.RecordLabel);

    /// <summary>The first record that any of the queries brings; null once each server has said that there is none.</summary>
    private async Task<EndpointRecord?> SearchAsync(EndpointId id, CancellationToken cancellationToken)
    {
        IReadOnlyList<IDnsResolver> resolvers = CreateResolvers();
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        List<Task<Attempt>> attempts = [.. s_delays.Select((delay, i) => AskAsync(resolvers[i % resolvers.Count], id, delay, stopping.Token))];
        var negative = new HashSet<IDnsResolver>();
        DnsResolverException? failure = null;
        try
        {
            while (attempts.Count > 0 && negative.Count < resolvers.Count)
            {
                Task<Attempt> done = await Task.WhenAny(attempts).ConfigureAwait(false);
                attempts.Remove(done);
                Attempt attempt = await done.ConfigureAwait(false);
                if (attempt.Record is not null)
                    return attempt.Record;
                if (attempt.Failure is null)
                    negative.Add(attempt.Resolver);
                failure = attempt.Failure ?? failure;
            }
        }
        finally
        {
            await stopping.CancelAsync().ConfigureAwait(false);
            await ((Task)Task.WhenAll(attempts)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // A server that has the name's absence on record outweighs one that was silent.
        return negative.Count > 0
            ? null
            : throw new AddressLookupException(id, isNotFound: false, $"{failure!.Message}.", failure);
    }

    private async Task<Attempt> AskAsync(IDnsResolver resolver, EndpointId id, TimeSpan delay, CancellationToken cancellationToken)
    {
        await Task.Delay(Jitter(delay), _options.Time, cancellationToken).ConfigureAwait(false);
        using var timeout = new CancellationTokenSource(s_queryTimeout, _options.Time);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        DomainName name = NameOf(id);
        try
        {
            DnsMessage answer = await resolver.AskAsync(new DnsQuestion(name, DnsType.TXT), stopping.Token).ConfigureAwait(false);
            if (answer.FullResponseCode is not (DnsResponseCode.NoError or DnsResponseCode.NameError))
                return new Attempt(resolver, null, new DnsResolverException($"{resolver.Name} answered with code {answer.FullResponseCode} for {name}"));
            EndpointRecord record = answer.ToEndpointRecord(id, name);

            // Endpoints that have just started publish an empty record first: not found yet.
            return new Attempt(resolver, record.Address.Addresses.IsEmpty && record.UserData is null ? null : record, null);
        }
        catch (DnsResolverException exception)
        {
            return new Attempt(resolver, null, exception);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Attempt(resolver, null, new DnsResolverException(
                string.Create(CultureInfo.InvariantCulture, $"{resolver.Name} did not answer within {s_queryTimeout.TotalSeconds} s")));
        }
    }

    /// <summary>Up to a fifth more or less, as iroh.</summary>
    private TimeSpan Jitter(TimeSpan delay) =>
        delay == TimeSpan.Zero ? delay : (delay * 0.8) + TimeSpan.FromTicks((long)_options.Random.NextBelow((ulong)(delay * 0.4).Ticks));

    private IReadOnlyList<IDnsResolver> CreateResolvers()
    {
        IEnumerable<IPEndPoint> servers = _options.Servers ?? SystemResolvers.List();
        return
        [
            .. servers.Select(server => new DatagramResolver(server, _options.Random)),
            .. _options.HttpsServers.Select(server => (IDnsResolver)new HttpsResolver(server, _options.HttpClient ?? PkarrHttp.Shared)),
        ];
    }

    private readonly record struct Attempt(IDnsResolver Resolver, EndpointRecord? Record, DnsResolverException? Failure);
}
