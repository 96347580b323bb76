using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls.Tests;

/// <summary>Takes handshake messages apart and puts them together again with one thing changed and all lengths right.</summary>
internal static class MessageEditor
{
    internal static List<byte[]> Split(byte[] flight)
    {
        var messages = new List<byte[]>();
        for (int i = 0; i < flight.Length;)
        {
            int length = 4 + ((flight[i + 1] << 16) | (flight[i + 2] << 8) | flight[i + 3]);
            messages.Add(flight[i..(i + length)]);
            i += length;
        }

        return messages;
    }

    /// <summary>Replaces the message of one type in a flight; others stay as they are.</summary>
    internal static byte[] Edit(byte[] flight, HandshakeType type, Func<byte[], byte[]> edit) =>
        [.. Split(flight).SelectMany(message => message[0] == (byte)type ? edit(message) : message)];

    /// <summary>Edits the body; the header follows.</summary>
    internal static byte[] Body(byte[] message, Func<List<byte>, IEnumerable<byte>> edit) =>
        Message((HandshakeType)message[0], [.. edit([.. message[4..]])]);

    internal static byte[] Message(HandshakeType type, params byte[] body) =>
        [(byte)type, (byte)(body.Length >> 16), (byte)(body.Length >> 8), (byte)body.Length, .. body];

    internal static byte[] Extensions(byte[] message, Action<List<(ushort Type, byte[] Data)>> edit)
    {
        int start = BlockStart(message);
        var extensions = new List<(ushort Type, byte[] Data)>();
        for (int i = start + 2; i < message.Length;)
        {
            int length = (message[i + 2] << 8) | message[i + 3];
            extensions.Add(((ushort)((message[i] << 8) | message[i + 1]), message[(i + 4)..(i + 4 + length)]));
            i += 4 + length;
        }

        edit(extensions);
        byte[] block = [.. extensions.SelectMany(e => (byte[])[.. Number(e.Type), .. Vector16(e.Data)])];
        return Message((HandshakeType)message[0], [.. message[4..start], .. Vector16(block)]);
    }

    internal static byte[] Without(byte[] message, ushort type) => Extensions(message, all => all.RemoveAll(e => e.Type == type));

    internal static byte[] With(byte[] message, ushort type, params byte[] data) => Extensions(message, all =>
    {
        int index = all.FindIndex(e => e.Type == type);
        if (index < 0)
            all.Add((type, data));
        else
            all[index] = (type, data);
    });

    internal static byte[] Number(ushort value) => [(byte)(value >> 8), (byte)value];

    internal static byte[] Vector8(params byte[] data) => [(byte)data.Length, .. data];

    internal static byte[] Vector16(params byte[] data) => [.. Number((ushort)data.Length), .. data];

    internal static byte[] Vector24(params byte[] data) => [0, .. Vector16(data)];

    // Where the length of the extension block is, in messages without session id.
    private static int BlockStart(byte[] message)
    {
        switch ((HandshakeType)message[0])
        {
            case HandshakeType.ServerHello:
                return 4 + 2 + 32 + 1 + 2 + 1;
            case HandshakeType.ClientHello:
                int suites = 4 + 2 + 32 + 1;
                return suites + 2 + ((message[suites] << 8) | message[suites + 1]) + 2;
            case HandshakeType.CertificateRequest:
                return 4 + 1;
            default:
                return 4;
        }
    }
}
