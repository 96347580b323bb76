using System.Net;
using Iroh;
using Iroh.Quic;

namespace Blixard.Cli.Net.Bench;

/// <summary>Goodput between two endpoints in this process over loopback UDP.</summary>
internal static class IrohGoodput
{
    private const string Protocol = "blixard/bench/1";

    /// <summary>Gbit/s over all streams together, with datagrams of at most <paramref name="mtuMax"/> bytes.</summary>
    public static async Task<double> MeasureAsync(TimeSpan duration, int streams, int mtuMax, CancellationToken cancellationToken)
    {
        await using IrohEndpoint server = await BindAsync(mtuMax, cancellationToken).ConfigureAwait(false);
        await using IrohEndpoint client = await BindAsync(mtuMax, cancellationToken).ConfigureAwait(false);
        Task<IrohConnection?> accepting = server.AcceptAsync(cancellationToken).AsTask();
        await using IrohConnection dialled = await client.ConnectAsync(server.Address, Protocol, cancellationToken).ConfigureAwait(false);
        await using IrohConnection accepted = (await accepting.ConfigureAwait(false))!;
        var pairs = new List<(Stream Writer, Stream Reader)>();
        for (int i = 0; i < streams; i++)
        {
            QuicStream writer = await dialled.OpenUnidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
            await writer.WriteAsync(new byte[1], cancellationToken).ConfigureAwait(false);
            pairs.Add((writer, await accepted.AcceptUnidirectionalStreamAsync(cancellationToken).ConfigureAwait(false)));
        }

        return await Goodput.MeasureAsync(pairs, duration, cancellationToken).ConfigureAwait(false);
    }

    private static Task<IrohEndpoint> BindAsync(int mtuMax, CancellationToken cancellationToken)
    {
        var options = new IrohEndpointOptions();
        return IrohEndpoint.BindAsync(
            new IrohEndpointOptions
            {
                BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)],
                ApplicationProtocols = [Protocol],
                Connections = options.Connections with { MtuMax = mtuMax },
            },
            cancellationToken);
    }
}
