import NIOCore

/// Finds connections whose other side has vanished without a word: a camera that lost its power, a NAT that forgot.
enum TCPKeepalive {
    // Linux's numbers; NIO names none of them.
    private static let idle = NIOBSDSocket.Option(rawValue: 4)
    private static let interval = NIOBSDSocket.Option(rawValue: 5)
    private static let count = NIOBSDSocket.Option(rawValue: 6)

    /// After a minute of silence three questions, ten seconds apart. Channels that are no TCP sockets are left alone.
    static func enable(on channel: any Channel) {
        guard let options = channel.syncOptions else { return }
        try? options.setOption(.socketOption(.so_keepalive), value: 1)
        try? options.setOption(.tcpOption(idle), value: 60)
        try? options.setOption(.tcpOption(interval), value: 10)
        try? options.setOption(.tcpOption(count), value: 3)
    }
}
