import CSockets
import Glibc
import Hub
import Media
import NIOCore
import Streaming

/// The two UDP ports of one media of a session, ours and the peer's: RTP on the even one, RTCP on the next.
final class RTSPDatagramPorts: DatagramConsumer {
    let media: Int
    let ports: RTSPPorts
    /// Where the peer's are; nil until they are known.
    private(set) var peer: (rtp: RTPSource, rtcp: RTPSource)?
    /// Where its packets may come from.
    private var hosts: [RTPSource] = []
    private var lease: PortLease?
    private var rtp: UDPMediaSocket?
    private var rtcp: UDPMediaSocket?
    private let onPacket: (RawSpan, _ media: Int, _ isRTCP: Bool, NIODeadline) -> Void
    /// Of other hosts.
    private(set) var strangers = 0

    /// A pair of which one port is taken is tried anew so often.
    private static let attempts = 8

    /// - Parameters:
    ///   - host: the address to open the ports on.
    ///   - onPacket: gets what the peer sends. The span is valid for the call.
    init(
        media: Int,
        pool: PortPool,
        host: String,
        on reactor: RTPReactor,
        onPacket: @escaping (RawSpan, _ media: Int, _ isRTCP: Bool, NIODeadline) -> Void
    ) throws {
        self.media = media
        self.onPacket = onPacket
        var opened = try pool.openUDP(host: host)
        for _ in 1..<Self.attempts where opened.rtcp == nil { opened = try pool.openUDP(host: host) }
        guard let number = UInt16(exactly: opened.number), let ports = RTSPPorts(number),
            let first = opened.rtp.take(), let second = opened.rtcp.take()
        else { throw PortError.taken(port: opened.number + 1) }
        self.ports = ports
        lease = opened.lease.take()
        rtp = try UDPMediaSocket(first, on: reactor, consumer: self)
        rtcp = try UDPMediaSocket(second, on: reactor, consumer: self)
    }

    /// The peer has named its ports.
    /// - Parameters:
    ///   - host: where its connection comes from, or leads to.
    ///   - peerPorts: nil where it named none: they are those that its packets come from.
    ///   - source: another address that they may come from; a name is left aside.
    func setPeer(host: String, _ peerPorts: RTSPPorts?, source: String? = nil) {
        guard let first = RTPSource(host: host, port: Int(peerPorts?.rtp ?? 0)) else { return }
        hosts = [first]
        if let source, let other = RTPSource(host: source, port: 0) { hosts.append(other) }
        guard let peerPorts, let second = RTPSource(host: host, port: Int(peerPorts.rtcp)) else { return }
        peer = (first, second)
    }

    func close() {
        rtp?.close()
        rtcp?.close()
        rtp = nil
        rtcp = nil
        lease = nil
    }

    func receive(_ packet: RawSpan, from source: RTPSource, on socket: UDPMediaSocket, now: NIODeadline) {
        // By host: a NAT, as Docker's, may have changed the port.
        guard hosts.contains(where: { source.isSameHost(as: $0) }) else {
            strangers &+= 1
            return
        }
        if peer == nil, socket === rtp { peer = (source, source.atNextPort()) }
        onPacket(packet, media, socket === rtcp, now)
    }

    /// Reads what has come.
    func drain(now: NIODeadline) {
        _ = rtp?.ready(now: now)
        _ = rtcp?.ready(now: now)
    }

    func kernelDropped(_ total: UInt32) {}

    func send(_ datagrams: UnsafeBufferPointer<iovec>, isRTCP: Bool) -> Int {
        guard let peer, let socket = isRTCP ? rtcp : rtp else { return 0 }
        return socket.send(datagrams, to: isRTCP ? peer.rtcp : peer.rtp)
    }

    func send(report: [UInt8]) {
        if let peer { rtcp?.send(report, to: peer.rtcp) }
    }

    /// Opens the peer's NAT: an RTP packet without payload, and a receiver report about nothing.
    func punch(ssrc: UInt32) {
        guard let peer else { return }
        let words = [ssrc >> 24, ssrc >> 16, ssrc >> 8, ssrc].map { UInt8(truncatingIfNeeded: $0) }
        rtp?.send([0x80, 0, 0, 0, 0, 0, 0, 0] + words, to: peer.rtp)
        rtcp?.send(RTCPPacket.emptyReceiverReport(from: ssrc), to: peer.rtcp)
    }
}

/// Sends a reader's packets to its ports, as many as may be with one system call.
final class RTSPDatagramReader: RTPDatagramSink {
    /// Larger ones would be cut up by IP, and all of them lost with one piece (statement 69 of the RTSP notes: 1472 bytes of UDP).
    private static let largestPacket = 1472

    /// By media; nil for those that are not set up.
    private let ports: [RTSPDatagramPorts?]
    private var vectors: [iovec] = []
    /// Whose the vectors are.
    private var target: (media: Int, isRTCP: Bool) = (0, false)
    private var sent = 0
    private(set) var oversized = 0

    init(_ ports: [RTSPDatagramPorts?]) {
        self.ports = ports
    }

    func send(_ packet: UnsafeRawBufferPointer, media: Int, isRTCP: Bool) {
        guard packet.count <= Self.largestPacket else {
            oversized &+= 1
            return
        }
        if target != (media, isRTCP) || vectors.count == 64 {
            sendCollected()
            target = (media, isRTCP)
        }
        vectors.append(iovec(iov_base: UnsafeMutableRawPointer(mutating: packet.baseAddress), iov_len: packet.count))
    }

    func flush() -> Int {
        sendCollected()
        defer { sent = 0 }
        return sent
    }

    private func sendCollected() {
        guard !vectors.isEmpty else { return }
        if ports.indices.contains(target.media), let port = ports[target.media] {
            sent &+= vectors.withUnsafeBufferPointer { port.send($0, isRTCP: target.isRTCP) }
        }
        vectors.removeAll(keepingCapacity: true)
    }
}
