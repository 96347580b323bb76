using Xunit.Sdk;

namespace Iroh.Quic.Protocol.Tests.Simulation;

public class PathHistoryTests
{
    /// <summary>So many histories in each of the parts below, which the runner may spread over cores.</summary>
    private const ulong SeedsPerPart = 550;

    private const ulong SeedsOfLongPart = 20_000;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_becomes_of_paths_data_arrives_whole_while_there_is_one(ulong part) => Run(part * SeedsPerPart, SeedsPerPart);

    [Theory]
    [Trait("Suite", "Long")]
    [InlineData(1)]
    [InlineData(2)]
    public void Whatever_becomes_of_paths_in_many_more_histories_data_arrives_whole(ulong part) => Run(part * 1_000_000, SeedsOfLongPart);

    [Theory]
    [InlineData(1444)] // that no path was left was told on a way that the peer had left
    [InlineData(2250)] // the only way left was dark while it was validated, and given up
    [InlineData(110910)] // ids for another path came only after all were given up
    public void A_history_that_once_failed_goes_well(ulong seed) => Run(seed, 1);

    private static void Run(ulong first, ulong count)
    {
        for (ulong seed = first; seed < first + count; seed++)
        {
            var history = new PathHistory(seed);
            try
            {
                history.Run();
            }
            catch (Exception e)
            {
                throw new XunitException($"Seed {seed} (replay it by an [InlineData] of the last test): {e.Message}\n{history.Story}", e);
            }
        }
    }
}
