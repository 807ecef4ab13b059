internal import Media
internal import NIOCore
internal import Wire

/// A session's media sockets, bound before the INVITE goes out and given back by `close`.
///
/// It belongs to the reactor's loop: call it there only. What arrives goes to its sink, what happens to its connections to
/// `onEvent`; both may close it.
package final class MediaReceiver {
    /// The port for the SDP.
    package let localPort: Int
    package let transport: MediaTransport
    package let reactor: RTPReactor
    package private(set) var isOpen = true

    private let host: String
    private var sink: (any RTPSink)?
    private var onEvent: ((MediaReceiverEvent) -> Void)?
    private var lease: PortLease?

    private var rtp: UDPMediaSocket?
    private var rtcp: UDPMediaSocket?
    private var streams: StreamConnections?
    private var shared: SharedMediaPort?

    private var counters = MediaReceiverStatistics()
    private var isTouched = false
    private var toldUnusable = false
    private var nextReport: NIODeadline?
    /// Where RTCP came from last, and whether to our RTP port.
    private var rtcpPeer: (source: RTPSource, isOnMediaPort: Bool)?

    private static let reportInterval = TimeAmount.seconds(5)

    /// Opens a port of its own for a session.
    ///
    /// - Parameters:
    ///   - host: the local address to bind, "0.0.0.0" or "::" for all.
    ///   - port: the port that the operator asked for; nil takes one of the pool.
    ///   - expectedSSRC: TCP: a connection that brings it wins over one that does not.
    package init(
        _ transport: MediaTransport,
        on reactor: RTPReactor,
        ports: PortPool,
        host: String = "0.0.0.0",
        port: Int? = nil,
        expectedSSRC: UInt32? = nil,
        sink: any RTPSink,
        onEvent: @escaping (MediaReceiverEvent) -> Void
    ) throws {
        self.transport = transport
        self.reactor = reactor
        self.host = host
        self.sink = sink
        self.onEvent = onEvent
        switch transport {
        case .udp:
            let ports = try ports.openUDP(host: host, port: port)
            localPort = ports.number
            try open(ports)
        case .tcpPassive, .tcpActive:
            let port = try ports.openTCP(host: host, port: port, listening: transport == .tcpPassive)
            localPort = port.number
            try open(port, expectedSSRC: expectedSSRC)
        }
        reactor.add(self)
    }

    /// A session on the port that it shares with others; `SharedMediaPort.open` makes it.
    init(
        on shared: SharedMediaPort,
        transport: MediaTransport,
        sink: any RTPSink,
        onEvent: @escaping (MediaReceiverEvent) -> Void
    ) {
        self.transport = transport
        self.shared = shared
        self.sink = sink
        self.onEvent = onEvent
        reactor = shared.reactor
        host = shared.host
        localPort = shared.localPort
        if transport != .udp {
            streams = StreamConnections(receiver: self, host: host, localPort: localPort, expectedSSRC: nil)
        }
        reactor.add(self)
    }

    private func open(_ ports: consuming UDPPorts) throws(SystemError) {
        var ports = ports
        if let even = ports.rtp.take() { rtp = try UDPMediaSocket(even, on: reactor, consumer: self) }
        if let odd = ports.rtcp.take() { rtcp = try? UDPMediaSocket(odd, on: reactor, consumer: self) }
        lease = ports.lease.take()
    }

    private func open(_ port: consuming TCPPort, expectedSSRC: UInt32?) throws(SystemError) {
        var port = port
        let streams = StreamConnections(receiver: self, host: host, localPort: localPort, expectedSSRC: expectedSSRC)
        if let socket = port.socket.take() { try streams.open(socket, listening: transport == .tcpPassive) }
        self.streams = streams
        lease = port.lease.take()
    }

    package var statistics: MediaReceiverStatistics {
        var statistics = counters
        streams?.add(to: &statistics)
        return statistics
    }

    /// TCP active: connects to the camera from the port of our offer, three tries at least a second apart.
    ///
    /// - Parameter targets: the address of the answer, and the one that the camera's signalling comes from.
    package func connect(to targets: [RTPSource]) {
        streams?.connect(to: targets, now: reactor.eventLoop.now)
    }

    /// The SSRC that the camera answered. On a shared port its packets come here from now on.
    ///
    /// - Returns: false when another session of the shared port has it.
    @discardableResult
    package func expect(ssrc: UInt32) -> Bool {
        streams?.expectedSSRC = ssrc
        return shared?.expect(ssrc: ssrc, for: self) ?? true
    }

    /// The address and port that the camera answered. On a shared port its packets come here whatever their SSRC.
    package func expect(source: RTPSource) {
        shared?.expect(source: source, for: self)
    }

    /// Gives everything back. Nothing is called afterwards.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        reactor.remove(self)
        rtp?.close()
        rtcp?.close()
        streams?.close()
        shared?.remove(self)
        shared = nil
        lease = nil
        sink = nil
        onEvent = nil
    }

    func deliver(_ packet: RawSpan, from source: RTPSource, now: NIODeadline) {
        guard isOpen else { return }
        counters.packets &+= 1
        counters.bytes &+= packet.byteCount
        counters.lastSource = source
        if !isTouched {
            isTouched = true
            reactor.touch(self)
            if nextReport == nil { nextReport = now + Self.reportInterval }
        }
        sink?.receive(packet, from: source, now: now)
    }

    var hasPackets: Bool { counters.packets > 0 }

    /// A shared port's connection whose first packet is this session's.
    func adopt(_ connection: MediaConnection, _ packet: RawSpan, now: NIODeadline) {
        if let streams { return streams.adopt(connection, packet, now: now) }
        // The camera connects though UDP was agreed: nothing is lost by taking it.
        let streams = StreamConnections(receiver: self, host: host, localPort: localPort, expectedSSRC: nil)
        self.streams = streams
        streams.adopt(connection, packet, now: now)
    }

    /// The running drain is over.
    func drained(now: NIODeadline) {
        isTouched = false
        sink?.tick(now: now)
    }

    func emit(_ event: MediaReceiverEvent) {
        onEvent?(event)
    }

    func count(connections: Int = 0, turnedAway: Int = 0) {
        counters.connections += connections
        counters.turnedAway += turnedAway
    }
}

extension MediaReceiver: DatagramConsumer {
    func receive(_ packet: RawSpan, from source: RTPSource, on socket: UDPMediaSocket, now: NIODeadline) {
        noteOddity(packet, from: source, isMediaPort: socket !== rtcp)
        deliver(packet, from: source, now: now)
    }

    /// RTCP and SIP among the datagrams; both are told by their first two bytes.
    @inline(__always)
    func noteOddity(_ packet: RawSpan, from source: RTPSource, isMediaPort: Bool) {
        guard let first = packet.uint8(at: 0), let second = packet.uint8(at: 1) else { return }
        if first >> 6 == 2 {
            if second >= 200, second <= 207 { rtcpPeer = (source, isMediaPort) }
        } else if !toldUnusable, let line = SIPOnMediaPort.firstLine(packet) {
            toldUnusable = true
            let failure = RTPStreamFailure.sipOnMediaPort(line)
            emit(.unusable(source, failure, MediaConnection.describe(failure)))
        }
    }

    func kernelDropped(_ total: UInt32) {
        counters.kernelDrops = Int(total)
        sink?.kernelDropped(total)
    }
}

extension MediaReceiver: ReactorMember {
    func service(now: NIODeadline) {
        streams?.service(now: now)
        sink?.tick(now: now)
        guard isOpen, let due = nextReport, due <= now else { return }
        nextReport = now + Self.reportInterval
        sendReport(now: now)
    }

    private func sendReport(now: NIODeadline) {
        guard let sink, let report = sink.receiverReport(now: now) else { return }
        counters.reportsSent += 1
        if let streams { return streams.send(report) }
        guard let media = sink.mediaSource ?? counters.lastSource else { return }
        var target = media.atNextPort()
        var socket = rtcp ?? rtp ?? shared?.socket
        if let rtcpPeer, rtcpPeer.source.isSameHost(as: media) {
            target = rtcpPeer.source
            if rtcpPeer.isOnMediaPort { socket = rtp ?? shared?.socket }
        }
        socket?.send(report, to: target)
    }
}
