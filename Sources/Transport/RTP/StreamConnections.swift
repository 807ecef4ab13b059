internal import Media
internal import NIOCore
internal import Wire

/// A session's TCP connections and which of them is the camera's (spec 5.2).
///
/// Whoever connects is a candidate until it brings an RTP packet, so that a port scan does not keep the camera out. A second
/// sender takes over only from one that has been silent for a second, or that does not bring the SSRC asked for.
final class StreamConnections: MediaConnectionOwner {
    var expectedSSRC: UInt32?

    private unowned let receiver: MediaReceiver
    private let host: String
    private let localPort: Int
    private var listener: MediaListener?
    /// TCP active: keeps the offered port ours between tries.
    private var reservation: Descriptor?
    private var connector: MediaConnector?
    private var candidates: [MediaConnection] = []
    private var active: MediaConnection?
    private var graceEnds: NIODeadline?
    /// Of connections that are gone.
    private var pastResynchronisations = 0
    private var pastSkippedBytes = 0
    private var lastFraming: RTPStreamFraming?

    private static let largestCandidates = 4
    private static let candidateTime = TimeAmount.seconds(10)
    private static let aliveTime = TimeAmount.seconds(1)
    private static let grace = TimeAmount.seconds(5)

    init(receiver: MediaReceiver, host: String, localPort: Int, expectedSSRC: UInt32?) {
        self.receiver = receiver
        self.host = host
        self.localPort = localPort
        self.expectedSSRC = expectedSSRC
    }

    func open(_ socket: consuming Descriptor, listening: Bool) throws(SystemError) {
        guard listening else {
            reservation = consume socket
            return
        }
        listener = try MediaListener(socket, on: receiver.reactor) { [unowned self] socket, from, now in
            accept(socket, from: from, now: now)
        }
    }

    func close() {
        listener?.close()
        connector?.close()
        reservation = nil
        active?.close()
        for candidate in candidates { candidate.close() }
        candidates = []
        active = nil
        graceEnds = nil
    }

    func add(to statistics: inout MediaReceiverStatistics) {
        statistics.framing = active?.framing ?? lastFraming
        statistics.resynchronisations = pastResynchronisations
        statistics.skippedBytes = pastSkippedBytes
        if let running = active?.framerStatistics {
            statistics.resynchronisations += running.resynchronisations
            statistics.skippedBytes += running.skippedBytes
        }
    }

    func send(_ report: [UInt8]) {
        active?.send(report)
    }

    private func accept(_ socket: consuming Descriptor, from source: RTPSource, now: NIODeadline) {
        if let active, isAlive(active, now), !mayBeOutranked(active) {
            receiver.count(turnedAway: 1)
            return
        }
        if candidates.count == Self.largestCandidates {
            candidates.removeFirst().close()
            receiver.count(turnedAway: 1)
        }
        guard
            let connection = try? MediaConnection(socket, from: source, on: receiver.reactor, owner: self, now: now)
        else { return }
        receiver.count(connections: 1)
        candidates.append(connection)
    }

    func receive(_ packet: RawSpan, on connection: MediaConnection, now: NIODeadline) {
        if connection !== active {
            guard let ssrc = RTPHeaders.mediaSSRC(packet) else { return }
            connection.ssrc = ssrc
            guard promote(connection, now: now) else { return }
        }
        if connection.ssrc == nil { connection.ssrc = RTPHeaders.mediaSSRC(packet) }
        connection.lastPacket = now
        receiver.deliver(packet, from: connection.source, now: now)
    }

    /// Takes over a connection that a shared port accepted, with the packet that told whose it is.
    func adopt(_ connection: MediaConnection, _ packet: RawSpan, now: NIODeadline) {
        connection.owner = self
        candidates.append(connection)
        receiver.count(connections: 1)
        receive(packet, on: connection, now: now)
    }

    private func promote(_ connection: MediaConnection, now: NIODeadline) -> Bool {
        candidates.removeAll { $0 === connection }
        if let active, isAlive(active, now), !(mayBeOutranked(active) && connection.ssrc == expectedSSRC) {
            connection.close()
            receiver.count(turnedAway: 1)
            return false
        }
        if let active { retire(active) }
        active = connection
        graceEnds = nil
        receiver.emit(.connected(connection.source))
        return connection.isOpen
    }

    private func retire(_ connection: MediaConnection) {
        pastResynchronisations += connection.framerStatistics.resynchronisations
        pastSkippedBytes += connection.framerStatistics.skippedBytes
        lastFraming = connection.framing ?? lastFraming
        connection.close()
    }

    private func isAlive(_ connection: MediaConnection, _ now: NIODeadline) -> Bool {
        now - (connection.lastPacket ?? connection.openedAt) <= Self.aliveTime
    }

    private func mayBeOutranked(_ connection: MediaConnection) -> Bool {
        expectedSSRC != nil && connection.ssrc != expectedSSRC
    }

    func ended(
        _ connection: MediaConnection,
        _ reason: MediaDisconnect,
        failure: RTPStreamFailure?,
        now: NIODeadline
    ) {
        candidates.removeAll { $0 === connection }
        let wasActive = connection === active
        if wasActive {
            retire(connection)
            active = nil
            graceEnds = now + Self.grace
            connector?.restart(now: now)
        }
        if let failure { receiver.emit(.unusable(connection.source, failure, reason.description)) }
        if wasActive { receiver.emit(.disconnected(connection.source, reason)) }
    }

    func service(now: NIODeadline) {
        active?.flush()
        while let oldest = candidates.first, now - oldest.openedAt > Self.candidateTime {
            candidates.removeFirst().close()
        }
        connector?.service(now: now)
        if let due = graceEnds, due <= now, active == nil {
            graceEnds = nil
            connector?.close()
            receiver.emit(.abandoned)
        }
    }

    func connect(to targets: [RTPSource], now: NIODeadline) {
        guard reservation != nil, active == nil else { return }
        connector?.close()
        let connector = MediaConnector(targets: targets, host: host, localPort: localPort, on: receiver.reactor) {
            [unowned self] outcome, now in
            connected(outcome, now: now)
        }
        self.connector = connector
        connector.restart(now: now)
    }

    private func connected(_ outcome: consuming MediaConnector.Outcome, now: NIODeadline) {
        switch consume outcome {
        case .connected(let socket, let target):
            guard
                let connection = try? MediaConnection(socket, from: target, on: receiver.reactor, owner: self, now: now)
            else { return }
            active = connection
            graceEnds = nil
            receiver.count(connections: 1)
            receiver.emit(.connected(target))
        case .failed(let reasons):
            // After a break the grace time speaks.
            if graceEnds == nil { receiver.emit(.connectFailed(reasons)) }
        }
    }
}

/// The few fields that the socket layer reads itself.
enum RTPHeaders {
    /// The SSRC of an RTP packet; nil for RTCP and for what is neither.
    @inline(__always)
    static func mediaSSRC(_ packet: RawSpan) -> UInt32? {
        guard packet.byteCount >= 12, let first = packet.uint8(at: 0), first >> 6 == 2,
            let second = packet.uint8(at: 1),
            !(192...223).contains(second)
        else { return nil }
        return packet.uint32(at: 8)
    }

    /// The sender's SSRC of an RTCP packet.
    @inline(__always)
    static func controlSSRC(_ packet: RawSpan) -> UInt32? {
        guard packet.byteCount >= 8, let first = packet.uint8(at: 0), first >> 6 == 2, let second = packet.uint8(at: 1),
            (192...223).contains(second)
        else { return nil }
        return packet.uint32(at: 4)
    }
}
