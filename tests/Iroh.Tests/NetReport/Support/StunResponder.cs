using System.Net;
using Iroh.NetReport.Stun;

namespace Iroh.Tests.NetReport.Support;

/// <summary>Answers binding requests: what a STUN server is, without its socket.</summary>
internal static class StunResponder
{
    /// <summary>Writes the answer to a datagram if it is a binding request.</summary>
    /// <param name="from">Where it came from; the answer goes there and says so.</param>
    /// <param name="datagram">What came.</param>
    /// <param name="destination">At least <see cref="StunMessage.AnswerLengthMax"/> bytes.</param>
    /// <param name="written">The answer's length.</param>
    /// <returns>False for anything but a binding request, which stays unanswered.</returns>
    public static bool TryAnswer(IPEndPoint from, ReadOnlySpan<byte> datagram, Span<byte> destination, out int written)
    {
        written = StunMessage.TryReadRequest(datagram, out StunTransactionId id) ? StunMessage.WriteSuccess(destination, id, from) : 0;
        return written > 0;
    }
}
