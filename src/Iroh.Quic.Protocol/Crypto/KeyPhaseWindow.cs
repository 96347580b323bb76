using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>
/// Which packet numbers of one path belong to the current key phase. The key phase is one per connection, packet numbers are
/// one series per path: so each path id owns one of these, starts it as <c>default</c> and hands it to <see cref="KeyUpdate"/>,
/// which alone reads and writes it. Numbers of an earlier phase count as none; no one has to reset it.
/// </summary>
internal struct KeyPhaseWindow
{
    private ulong _receivedIn;
    private ulong _sentIn;
    private bool _received;
    private bool _sent;

    /// <summary>The smallest number opened in the phase of the last <see cref="OnReceived"/>.</summary>
    internal PacketNumber SmallestReceived { get; private set; }

    /// <summary>The largest number opened in that phase.</summary>
    internal PacketNumber LargestReceived { get; private set; }

    /// <summary>The smallest number sealed in the phase of the last <see cref="OnSent"/>.</summary>
    internal PacketNumber SmallestSent { get; private set; }

    internal readonly bool HasReceivedIn(ulong generation) => _received && _receivedIn == generation;

    internal readonly bool HasSentIn(ulong generation) => _sent && _sentIn == generation;

    internal void OnReceived(ulong generation, PacketNumber number)
    {
        if (!HasReceivedIn(generation))
        {
            (_received, _receivedIn) = (true, generation);
            (SmallestReceived, LargestReceived) = (number, number);
        }
        else if (number.Value < SmallestReceived.Value)
        {
            SmallestReceived = number;
        }
        else if (number.Value > LargestReceived.Value)
        {
            LargestReceived = number;
        }
    }

    internal void OnSent(ulong generation, PacketNumber number)
    {
        if (!HasSentIn(generation))
            (_sent, _sentIn, SmallestSent) = (true, generation, number);
    }
}
