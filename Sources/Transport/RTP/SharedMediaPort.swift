package import Media
internal import NIOCore
internal import Wire

/// One port for the media of many sessions, UDP and TCP, told apart by SSRC (spec 4.1 and 4.4).
///
/// All its sessions live on its loop. A packet belongs to the session that holds its SSRC; else to the one whose camera
/// answered the packet's address and port; else to the only session of its host that has had no packet yet. What is left
/// belongs to nobody and never makes a stream.
package final class SharedMediaPort {
    package struct Statistics: Equatable, Sendable {
        package var sessions = 0
        package var unmatchedPackets = 0
        package var notRTP = 0
        package var kernelDrops = 0
        package var pendingConnections = 0
        package var turnedAway = 0
    }

    package let host: String
    package let localPort: Int
    package let reactor: RTPReactor
    /// Told of an SSRC that no session holds: at first, and then every 10 s at most. It may bind it with `expect(ssrc:)`.
    package var onUnmatched: ((UInt32, RTPSource) -> Void)?
    /// Told of senders that do not send RTP at all, every 10 s at most; the text says what to do.
    package var onUnusable: ((RTPSource, RTPStreamFailure, String) -> Void)?

    private(set) var socket: UDPMediaSocket?
    private var listener: MediaListener?
    private var sessions: [ObjectIdentifier: Session] = [:]
    private var bySSRC: [UInt32: MediaReceiver] = [:]
    /// SSRCs that nobody announced, bound together with their source.
    private var adopted: [Stranger: MediaReceiver] = [:]
    private var unmatched: [UInt32: NIODeadline] = [:]
    private var unusableTold: NIODeadline?
    private var pending: [MediaConnection] = []
    private var counters = Statistics()

    private struct Session {
        let receiver: MediaReceiver
        /// Where the camera's signalling comes from; its port means nothing.
        let host: RTPSource?
        var announced: RTPSource?
        var isPending = true
    }

    private struct Stranger: Hashable {
        let ssrc: UInt32
        let source: RTPSource
    }

    private static let tellInterval = TimeAmount.seconds(10)
    private static let largestUnmatched = 1024
    private static let largestPending = 2048
    private static let largestPendingOfHost = 512
    private static let pendingTime = TimeAmount.seconds(10)

    /// - Parameters:
    ///   - port: `rtp_single_port`; 0 takes any.
    ///   - receiveBuffer: for all cameras together; the kernel gives it to those with CAP_NET_ADMIN.
    package init(
        on reactor: RTPReactor,
        host: String = "0.0.0.0",
        port: Int,
        receiveBuffer: Int = 16 << 20
    ) throws {
        self.reactor = reactor
        self.host = host
        var sockets = try PortPair.open(host: host, port: port, receiveBuffer: receiveBuffer)
        localPort = sockets.port
        guard let udp = sockets.udp.take(), let tcp = sockets.tcp.take() else { return }
        socket = try UDPMediaSocket(udp, on: reactor, consumer: self)
        listener = try MediaListener(tcp, on: reactor) { [unowned self] socket, from, now in
            accept(socket, from: from, now: now)
        }
        reactor.add(self)
    }

    package var statistics: Statistics {
        var statistics = counters
        statistics.sessions = sessions.count
        statistics.pendingConnections = pending.count
        return statistics
    }

    /// Opens a session on this port.
    ///
    /// - Parameters:
    ///   - transport: `.udp` or `.tcpPassive`.
    ///   - ssrc: the one that the INVITE asks for.
    ///   - signallingHost: where the camera's SIP comes from.
    /// - Returns: nil when another session holds the SSRC.
    package func open(
        _ transport: MediaTransport,
        ssrc: UInt32,
        signallingHost: String?,
        sink: any RTPSink,
        onEvent: @escaping (MediaReceiverEvent) -> Void
    ) -> MediaReceiver? {
        guard bySSRC[ssrc] == nil else { return nil }
        let receiver = MediaReceiver(on: self, transport: transport, sink: sink, onEvent: onEvent)
        let host = signallingHost.flatMap { RTPSource(host: $0, port: 0) }
        sessions[ObjectIdentifier(receiver)] = Session(receiver: receiver, host: host)
        bySSRC[ssrc] = receiver
        return receiver
    }

    func expect(ssrc: UInt32, for receiver: MediaReceiver) -> Bool {
        guard sessions[ObjectIdentifier(receiver)] != nil else { return false }
        if let holder = bySSRC[ssrc] { return holder === receiver }
        bySSRC[ssrc] = receiver
        unmatched[ssrc] = nil
        return true
    }

    func expect(source: RTPSource, for receiver: MediaReceiver) {
        sessions[ObjectIdentifier(receiver)]?.announced = source
    }

    func remove(_ receiver: MediaReceiver) {
        guard sessions.removeValue(forKey: ObjectIdentifier(receiver)) != nil else { return }
        bySSRC = bySSRC.filter { $0.value !== receiver }
        adopted = adopted.filter { $0.value !== receiver }
    }

    /// Closes the port and every session on it.
    package func close() {
        guard socket != nil else { return }
        reactor.remove(self)
        for session in Array(sessions.values) { session.receiver.close() }
        socket?.close()
        listener?.close()
        for connection in pending { connection.close() }
        socket = nil
        listener = nil
        pending = []
        onUnmatched = nil
        onUnusable = nil
    }

    private func session(of ssrc: UInt32, from source: RTPSource, now: NIODeadline) -> MediaReceiver? {
        if let receiver = bySSRC[ssrc] { return receiver }
        let stranger = Stranger(ssrc: ssrc, source: source)
        if !adopted.isEmpty, let receiver = adopted[stranger] { return receiver }
        if let receiver = sessionAwaiting(source) {
            adopted[stranger] = receiver
            return receiver
        }
        counters.unmatchedPackets &+= 1
        guard tells(ssrc, now) else { return nil }
        onUnmatched?(ssrc, source)
        return bySSRC[ssrc]
    }

    private func sessionAwaiting(_ source: RTPSource) -> MediaReceiver? {
        var ofHost: MediaReceiver?
        var isAmbiguous = false
        for session in sessions.values where session.isPending {
            if let announced = session.announced, announced.port == source.port, announced.isSameHost(as: source) {
                return session.receiver
            }
            if session.host?.isSameHost(as: source) == true || session.announced?.isSameHost(as: source) == true {
                isAmbiguous = ofHost != nil
                ofHost = session.receiver
            }
        }
        return isAmbiguous ? nil : ofHost
    }

    /// Whether an unmatched SSRC is worth a word, and a search of the sessions.
    private func tells(_ ssrc: UInt32, _ now: NIODeadline) -> Bool {
        if let last = unmatched[ssrc], now - last < Self.tellInterval { return false }
        if unmatched.count >= Self.largestUnmatched {
            unmatched = unmatched.filter { now - $0.value < Self.tellInterval }
            guard unmatched.count < Self.largestUnmatched else { return false }
        }
        unmatched[ssrc] = now
        return true
    }

    private func began(_ receiver: MediaReceiver) {
        sessions[ObjectIdentifier(receiver)]?.isPending = false
    }

    private func tellUnusable(_ source: RTPSource, _ failure: RTPStreamFailure, now: NIODeadline) {
        if let unusableTold, now - unusableTold < Self.tellInterval { return }
        unusableTold = now
        onUnusable?(source, failure, MediaConnection.describe(failure))
    }
}

extension SharedMediaPort: DatagramConsumer {
    func receive(_ packet: RawSpan, from source: RTPSource, on socket: UDPMediaSocket, now: NIODeadline) {
        guard let ssrc = RTPHeaders.mediaSSRC(packet) else {
            receiveOther(packet, from: source, now: now)
            return
        }
        guard let receiver = session(of: ssrc, from: source, now: now) else { return }
        if !receiver.hasPackets { began(receiver) }
        receiver.deliver(packet, from: source, now: now)
    }

    private func receiveOther(_ packet: RawSpan, from source: RTPSource, now: NIODeadline) {
        if let ssrc = RTPHeaders.controlSSRC(packet) {
            // RTCP binds nothing.
            guard let receiver = bySSRC[ssrc] ?? adopted[Stranger(ssrc: ssrc, source: source)] else { return }
            receiver.noteOddity(packet, from: source, isMediaPort: true)
            receiver.deliver(packet, from: source, now: now)
            return
        }
        counters.notRTP &+= 1
        if let line = SIPOnMediaPort.firstLine(packet) { tellUnusable(source, .sipOnMediaPort(line), now: now) }
    }

    func kernelDropped(_ total: UInt32) {
        counters.kernelDrops = Int(total)
        for session in sessions.values { session.receiver.kernelDropped(total) }
    }
}

extension SharedMediaPort: MediaConnectionOwner {
    private func accept(_ socket: consuming Descriptor, from source: RTPSource, now: NIODeadline) {
        guard pending.count < Self.largestPending,
            pending.count(where: { $0.source.isSameHost(as: source) }) < Self.largestPendingOfHost
        else {
            counters.turnedAway += 1
            return
        }
        guard let connection = try? MediaConnection(socket, from: source, on: reactor, owner: self, now: now) else {
            return
        }
        pending.append(connection)
    }

    func receive(_ packet: RawSpan, on connection: MediaConnection, now: NIODeadline) {
        guard let ssrc = RTPHeaders.mediaSSRC(packet),
            let receiver = session(of: ssrc, from: connection.source, now: now)
        else { return }
        pending.removeAll { $0 === connection }
        began(receiver)
        receiver.adopt(connection, packet, now: now)
    }

    func ended(
        _ connection: MediaConnection,
        _ reason: MediaDisconnect,
        failure: RTPStreamFailure?,
        now: NIODeadline
    ) {
        pending.removeAll { $0 === connection }
        if let failure { tellUnusable(connection.source, failure, now: now) }
    }
}

extension SharedMediaPort: ReactorMember {
    func service(now: NIODeadline) {
        while let oldest = pending.first, now - oldest.openedAt > Self.pendingTime {
            pending.removeFirst().close()
            counters.turnedAway += 1
        }
    }
}
