using System.Runtime.CompilerServices;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Dns.Pkarr;

namespace Iroh.Lookup;

/// <summary>Gets the signed records of endpoints from a pkarr server over HTTP. The server cannot forge them.</summary>
public sealed class PkarrLookup : IAddressLookup
{
    // A lost connection is worth another attempt soon; whoever dials does not wait for more than a few seconds.
    private static readonly TimeSpan[] s_pauses = [TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(2)];

    private readonly PkarrHttp _http;
    private readonly TimeProvider _time;

    /// <summary>Asks the server at <paramref name="url"/>.</summary>
    /// <param name="url">Without the id, such as <see cref="N0Services.PkarrUrl"/>.</param>
    /// <param name="httpClient">Sends the requests and stays the caller's; null for a common one.</param>
    /// <param name="time">Timers; null for the system's.</param>
    /// <exception cref="ArgumentException">The URL is not one of http or https.</exception>
    public PkarrLookup(Uri url, HttpClient? httpClient = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(url);
        _time = time ?? TimeProvider.System;
        _http = new PkarrHttp(url, httpClient, _time);
    }

    /// <inheritdoc/>
    public string Name => "pkarr";

    /// <inheritdoc/>
    public async IAsyncEnumerable<LookupResult> ResolveAsync(
        EndpointId id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (await GetAsync(id, cancellationToken).ConfigureAwait(false) is not { } packet)
            yield break;
        EndpointRecord record = packet.ToRecord();

        // Endpoints that have just started publish an empty record first: not found yet.
        if (!record.Address.Addresses.IsEmpty || record.UserData is not null)
            yield return new LookupResult(record.Address, Name, packet.SignedAt, record.UserData);
    }

    private async Task<PkarrPacket?> GetAsync(EndpointId id, CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await _http.GetAsync(id, cancellationToken).ConfigureAwait(false);
            }
            catch (PkarrHttpException exception) when (attempt == s_pauses.Length)
            {
                throw new AddressLookupException(id, isNotFound: false, exception.Message, exception);
            }
            catch (PkarrHttpException)
            {
                await Task.Delay(s_pauses[attempt], _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
