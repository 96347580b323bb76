using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;

namespace Blixard.Cluster.Store;

/// <summary>Reads values of the store as the messages that they should be.</summary>
internal static class RecordReader
{
    /// <summary>False if the value is no such message; whoever reads treats it as absent.</summary>
    public static bool TryRead<T>(MessageParser<T> parser, StoreEntry entry, [NotNullWhen(true)] out T? record)
        where T : class, IMessage<T>
    {
        try
        {
            record = parser.ParseFrom(entry.Value.Span);
            return true;
        }
        catch (InvalidProtocolBufferException)
        {
            record = null;
            return false;
        }
    }
}
