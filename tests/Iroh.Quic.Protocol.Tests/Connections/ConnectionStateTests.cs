using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class ConnectionStateTests
{
    private static readonly CloseReason Local = new(CloseCause.LocalApplication, 7, 0, default);
    private static readonly CloseReason Peer = new(CloseCause.PeerApplication, 8, 0, default);
    private static readonly CloseReason Idle = new(CloseCause.IdleTimeout, 0, 0, default);

    private readonly ConnectionState _state = new();

    [Fact]
    public void A_handshake_completes_and_is_confirmed_once()
    {
        Assert.True(_state.IsOpen);
        _state.CompleteHandshake();
        Assert.Equal(ConnectionPhase.Established, _state.Phase);
        Assert.True(_state.Confirm());
        Assert.False(_state.Confirm());
    }

    [Fact]
    public void The_first_close_wins_and_owes_a_frame()
    {
        Assert.True(_state.Close(Local));
        Assert.False(_state.Close(Idle));
        Assert.Equal(Local, _state.Reason);
        Assert.True(_state.OwesClose);
        Assert.Equal(Local, _state.CloseToSend);
    }

    [Fact]
    public void While_closing_the_close_is_repeated_ever_more_rarely()
    {
        _state.Close(Local);
        _state.OnCloseSent();
        int repeats = 0;
        for (int packet = 1; packet <= 127; packet++)
        {
            _state.OnPacketWhileClosing();
            if (_state.OwesClose)
                repeats++;
            _state.OnCloseSent();
        }

        Assert.Equal(7, repeats); // after 1, 3, 7, 15, 31, 63, 127 packets
    }

    [Fact]
    public void A_received_close_is_answered_once_with_no_error()
    {
        Assert.True(_state.ReceiveClose(Peer));
        Assert.Equal(ConnectionPhase.Draining, _state.Phase);
        Assert.True(_state.OwesClose);
        Assert.Equal(TransportErrorCode.NoError, _state.CloseToSend!.Code);
        _state.OnCloseSent();
        Assert.False(_state.ReceiveClose(Peer));
        _state.OnPacketWhileClosing();
        Assert.False(_state.OwesClose);
    }

    [Fact]
    public void A_close_that_crosses_ours_is_not_answered_and_keeps_our_reason()
    {
        _state.Close(Local);
        _state.OnCloseSent();
        Assert.True(_state.ReceiveClose(Peer));
        Assert.False(_state.OwesClose);
        Assert.Equal(Local, _state.Reason);
        Assert.Equal(ConnectionPhase.Draining, _state.Phase);
    }

    [Fact]
    public void An_abandoned_connection_is_drained_at_once()
    {
        Assert.True(_state.Abandon(Idle));
        Assert.Equal(ConnectionPhase.Drained, _state.Phase);
        Assert.Equal(Idle, _state.Reason);
        Assert.False(_state.Abandon(Idle));
        Assert.False(_state.ReceiveClose(Peer));
    }
}
