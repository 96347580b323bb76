using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Tests.NatTraversal;

/// <summary>What a room of NAT traversal writes and tells, in a form that tests compare.</summary>
internal static class RoomOutput
{
    // More than the frames of any room take at once.
    private const int LengthMax = 2000;

    public delegate void FrameWriter(ref WireWriter writer, SentFrameList frames);

    /// <summary>The frames that a room owes: the kind, the number and the port of each.</summary>
    public static List<string> Frames(FrameWriter write, out List<SentFrame> sent)
    {
        var writer = new WireWriter(new byte[LengthMax]);
        var frames = new SentFrameList();
        write(ref writer, frames);
        sent = [.. frames.Frames];
        var reader = new WireReader(writer.Written);
        var texts = new List<string>();
        while (reader.Remaining > 0)
        {
            Assert.True(FrameReader.TryReadType(ref reader, out ulong type, out _));
            if (ReachOutFrame.TryRead(ref reader, type, out ReachOutFrame reachOut))
                texts.Add($"ReachOutFrame {reachOut.Round} {reachOut.Address.Port}");
            else if (AddAddressFrame.TryRead(ref reader, type, out AddAddressFrame add))
                texts.Add($"AddAddressFrame {add.SequenceNumber} {add.Address.Port}");
            else if (NatMappingFrame.TryRead(ref reader, type, out NatMappingFrame mapping))
                texts.Add($"NatMapping {mapping.SequenceNumber} {mapping.VariesByDestination} {mapping.Address.Port}");
            else if (PortSearchFrame.TryRead(ref reader, type, out PortSearchFrame search))
                texts.Add($"PortSearch {search.Round}");
            else
                Assert.Fail($"{type:x}");
        }

        return texts;
    }

    /// <summary>Takes what has been told.</summary>
    public static List<ConnectionEvent> Take(ConnectionEvents events)
    {
        var taken = new List<ConnectionEvent>();
        while (events.TryTake(new DatagramQueue(0, 0, 0), isClosed: false, out ConnectionEvent e))
            taken.Add(e);
        return taken;
    }
}
