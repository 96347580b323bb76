using System.Text.Json;
using Iroh.Docs.Sync;

namespace Iroh.Docs.Reconciliation;

/// <summary>The sessions that were held with a real iroh-docs: our side answers what it answered.</summary>
public sealed class CapturedSessionTests
{
    private static readonly JsonElement s_file = Vector.Load("docs-sync.json");

    public static TheoryData<string> Sessions => [.. s_file.GetProperty("sessions").EnumerateObject().Select(session => session.Name)];

    [Theory]
    [MemberData(nameof(Sessions))]
    public void A_session_is_answered_byte_for_byte(string name)
    {
        var replica = new MemoryReplica(name == "insert" ? [] : TestEntries.Captured);
        var session = new SetReconciliation(TestEntries.Document.Id, replica);
        SyncMessage? reply = null;
        foreach (JsonElement frame in s_file.GetProperty("sessions").GetProperty(name).EnumerateArray())
        {
            switch (frame.Text("dir"))
            {
                case "send":
                    Assert.True(SyncMessage.TryRead(frame.Bytes("hex"), out SyncMessage? sent));
                    Assert.Equal(frame.Text("hex"), Convert.ToHexStringLower(sent.Encode()));
                    ReconciliationMessage message = sent switch
                    {
                        SyncMessage.Init init => init.Message,
                        SyncMessage.Round round => round.Message,
                        _ => throw new InvalidOperationException("a captured session has no abort"),
                    };
                    ReconciliationStep step = session.Process(message, TestEntries.Now);
                    Assert.Null(step.Fault);
                    reply = step.Reply is null ? null : new SyncMessage.Round(step.Reply);
                    break;
                case "recv":
                    Assert.Equal(frame.Text("hex"), Convert.ToHexStringLower(reply!.Encode()));
                    break;
                case "end":
                    Assert.Null(reply);
                    break;
            }
        }

        Assert.Equal(TestEntries.Captured.Count, replica.Count);
        Assert.Equal(
            s_file.GetProperty("entry_order").EnumerateArray().Select(entry => entry.GetString()),
            replica.All.Select(entry => $"{entry.Key.Author.ToString()[..8]}:{Convert.ToHexStringLower(entry.Key.Key.Span)}"));
    }

    [Theory]
    [InlineData("dialer_init_empty_replica", 0)]
    [InlineData("dialer_init_nine_entries", 9)]
    public void A_session_is_begun_byte_for_byte(string name, int entries)
    {
        var session = new SetReconciliation(TestEntries.Document.Id, new MemoryReplica(TestEntries.Captured.Take(entries)));
        Assert.Equal(s_file.Text(name), Convert.ToHexStringLower(new SyncMessage.Init(TestEntries.Document.Id, session.Begin()).Encode()));
    }

    [Theory]
    [InlineData("abort_not_found_frame", SyncAbortReason.NotFound)]
    [InlineData("abort_already_syncing_frame", SyncAbortReason.AlreadySyncing)]
    public void Refusals_are_written_and_read_byte_for_byte(string name, SyncAbortReason reason)
    {
        Assert.Equal(s_file.Text(name), Convert.ToHexStringLower(new SyncMessage.Abort(reason).Encode()));
        Assert.True(SyncMessage.TryRead(s_file.Bytes(name), out SyncMessage? read));
        Assert.Equal(new SyncMessage.Abort(reason), read);
    }
}
