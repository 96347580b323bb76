using Xunit.Sdk;

namespace Iroh.Quic.Protocol.Tests.Simulation;

public class HistoryTests
{
    /// <summary>So many histories in each of the parts below, which the runner may spread over cores.</summary>
    private const ulong SeedsPerPart = 250;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_the_network_does_data_arrives_whole_and_both_ends_become_quiet(ulong part)
    {
        for (ulong seed = part * SeedsPerPart; seed < (part + 1) * SeedsPerPart; seed++)
        {
            try
            {
                new History(seed).Run();
            }
            catch (Exception e)
            {
                throw new XunitException($"Seed {seed} (replay it by an [InlineData] of the test below): {e.Message}", e);
            }
        }
    }

    [Theory]
    [InlineData(584)]  // found losses leave an expired probe timer
    [InlineData(2574)] // 1-RTT packets filled the window before the handshake was complete
    public void A_history_that_once_failed_goes_well(ulong seed) => new History(seed).Run();
}
