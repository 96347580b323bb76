using System.ComponentModel;
using System.Diagnostics;

namespace Blixard.Cli.Demo;

/// <summary>Drops the UDP packets of one port on loopback, in a table of its own in this machine's packet filter, until it is disposed.</summary>
internal sealed class UdpCut : IAsyncDisposable
{
    // A packet filter answers at once; one that does not is not waited for.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private readonly string _table;

    private UdpCut(string table) => _table = table;

    /// <summary>Why packets cannot be dropped here; "" if they can.</summary>
    public static async Task<string> WhyNotAsync(CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
            return "only root may drop packets";
        string name = TableName();
        return await TryRunAsync($"table inet {name}\ndelete table inet {name}\n", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Drops what is sent from and to the port from now on.</summary>
    /// <exception cref="CommandException">The packet filter refused.</exception>
    public static async Task<UdpCut> BeginAsync(int port, CancellationToken cancellationToken)
    {
        string name = TableName();
        string rules = $$"""
            table inet {{name}} {
              chain output {
                type filter hook output priority 0; policy accept;
                oifname "lo" udp dport {{port}} drop
                oifname "lo" udp sport {{port}} drop
              }
            }

            """;
        if (await TryRunAsync(rules, cancellationToken).ConfigureAwait(false) is { Length: > 0 } problem)
            throw new CommandException(ExitCode.Failed, $"UDP could not be cut: {problem}");
        return new UdpCut(name);
    }

    /// <summary>Lets the packets through again.</summary>
    public async ValueTask DisposeAsync()
    {
        string problem = await TryRunAsync($"delete table inet {_table}\n", CancellationToken.None).ConfigureAwait(false);
        if (problem.Length > 0)
            await Console.Error.WriteLineAsync($"UDP is still cut ({problem}). End it with: nft delete table inet {_table}").ConfigureAwait(false);
    }

    private static string TableName() => $"blixard_demo_{Environment.ProcessId}";

    private static async Task<string> TryRunAsync(string rules, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("nft", ["-f", "-"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        Process? nft;
        try
        {
            nft = Process.Start(start);
        }
        catch (Win32Exception exception)
        {
            return $"nft cannot be run: {exception.Message}";
        }

        using (nft)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(s_limit);
            await nft!.StandardInput.WriteAsync(rules.AsMemory(), limit.Token).ConfigureAwait(false);
            nft.StandardInput.Close();
            string errors = await nft.StandardError.ReadToEndAsync(limit.Token).ConfigureAwait(false);
            await nft.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            return nft.ExitCode == 0 ? "" : errors.Split('\n')[0];
        }
    }
}
