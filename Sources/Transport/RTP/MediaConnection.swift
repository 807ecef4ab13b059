internal import CSockets
internal import Glibc
internal import Media
internal import NIOCore

/// Why a media connection ended.
package enum MediaDisconnect: Error, Hashable, Sendable {
    case peerClosed
    case failed(SystemError)
    /// The camera sends something else than RTP.
    case unusable(String)
}

extension MediaDisconnect: CustomStringConvertible {
    package var description: String {
        switch self {
        case .peerClosed: "closed by the camera"
        case .failed(let error): "\(error)"
        case .unusable(let reason): reason
        }
    }
}

protocol MediaConnectionOwner: AnyObject {
    func receive(_ packet: RawSpan, on connection: MediaConnection, now: NIODeadline)
    /// The connection is closed already.
    func ended(_ connection: MediaConnection, _ reason: MediaDisconnect, failure: RTPStreamFailure?, now: NIODeadline)
}

/// A TCP connection that brings RTP. It costs a descriptor and the beginning of one packet.
final class MediaConnection: ReactorSocket {
    let source: RTPSource
    let openedAt: NIODeadline
    /// Set by the owner.
    var ssrc: UInt32?
    var lastPacket: NIODeadline?

    private unowned let reactor: RTPReactor
    private var descriptor: Descriptor?
    private var token: UInt64 = 0
    /// Where packets go; it may change with any of them.
    var owner: (any MediaConnectionOwner)?
    private var framer = RTPStreamFramer()
    /// The end of a report that the socket did not take.
    private var unsent: [UInt8] = []

    /// Reads of 64 KB a socket may take in one turn.
    private static let readLimit = 4

    init(
        _ descriptor: consuming Descriptor,
        from source: RTPSource,
        on reactor: RTPReactor,
        owner: any MediaConnectionOwner,
        now: NIODeadline
    ) throws(SystemError) {
        let number = descriptor.number
        self.source = source
        self.reactor = reactor
        self.owner = owner
        openedAt = now
        self.descriptor = consume descriptor
        token = try reactor.add(self, number)
    }

    var isOpen: Bool { descriptor != nil }
    var framing: RTPStreamFraming? { framer.framing }
    var framerStatistics: RTPStreamFramer.Statistics { framer.statistics }

    func close() {
        guard let number = descriptor?.number else { return }
        reactor.remove(token, number)
        descriptor = nil
        owner = nil
    }

    func ready(now: NIODeadline) -> Bool {
        let buffer = reactor.slab.stream
        for _ in 0..<Self.readLimit {
            guard let number = descriptor?.number else { return false }
            let count = cs_receive(number, buffer.baseAddress, buffer.count)
            if count == -Int(EAGAIN) { return false }
            guard count > 0 else {
                end(count == 0 ? .peerClosed : .failed(SystemError(errno: Int32(-count))), nil, now)
                return false
            }
            // The owner may ask for the framer's figures, or close this connection, while packets are handed out.
            var framer = self.framer
            self.framer = RTPStreamFramer()
            let failure = framer.receive(UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes) { packet in
                owner?.receive(packet, on: self, now: now)
            }
            self.framer = framer
            if let failure, isOpen {
                end(.unusable(Self.describe(failure)), failure, now)
                return false
            }
            // More may have come meanwhile where much was there.
            if count < buffer.count / 4 { return false }
        }
        return true
    }

    /// Sends an RTCP packet framed as the camera frames its own; dropped while the last one is not out.
    func send(_ packet: [UInt8]) {
        flush()
        guard unsent.isEmpty, let framing = framer.framing, packet.count <= 0xFFFF else { return }
        let length = [UInt8(packet.count >> 8), UInt8(packet.count & 0xFF)]
        switch framing {
        case .rfc4571: unsent = length + packet
        case .interleaved: unsent = [0x24, 1] + length + packet
        case .length32: unsent = [0, 0] + length + packet
        }
        flush()
    }

    func flush() {
        guard !unsent.isEmpty, let number = descriptor?.number else { return }
        let sent = unsent.withUnsafeBytes { cs_send(number, $0.baseAddress, $0.count) }
        // A failure shows when reading.
        if sent > 0 { unsent.removeFirst(sent) }
    }

    private func end(_ reason: MediaDisconnect, _ failure: RTPStreamFailure?, _ now: NIODeadline) {
        let owner = owner
        close()
        owner?.ended(self, reason, failure: failure, now: now)
    }

    static func describe(_ failure: RTPStreamFailure) -> String {
        switch failure {
        case .sipOnMediaPort(let line):
            "SIP arrived on the media port ('\(line)') - set the SIP server port in the device to the gateway's SIP port"
        case .noPackets(let skipped):
            "no RTP found in \(skipped) bytes - let this device send over UDP"
        }
    }
}

/// Accepts media connections.
final class MediaListener: ReactorSocket {
    private unowned let reactor: RTPReactor
    private var descriptor: Descriptor?
    private var token: UInt64 = 0
    private var accepted: ((consuming Descriptor, RTPSource, NIODeadline) -> Void)?

    init(
        _ descriptor: consuming Descriptor,
        on reactor: RTPReactor,
        accepted: @escaping (consuming Descriptor, RTPSource, NIODeadline) -> Void
    ) throws(SystemError) {
        let number = descriptor.number
        self.reactor = reactor
        self.accepted = accepted
        self.descriptor = consume descriptor
        token = try reactor.add(self, number)
    }

    func close() {
        guard let number = descriptor?.number else { return }
        reactor.remove(token, number)
        descriptor = nil
        accepted = nil
    }

    func ready(now: NIODeadline) -> Bool {
        var isMore = false
        for _ in 0..<16 {
            guard let number = descriptor?.number, let accepted else { return isMore }
            var from = cs_endpoint()
            let socket = cs_accept(number, &from)
            guard socket >= 0 else {
                if socket != -EAGAIN { reactor.statistics.acceptFailures += 1 }
                return isMore
            }
            accepted(Descriptor(owning: socket), RTPSource(from, .tcp), now)
            // The camera's first packets are mostly there already: this drain reads them.
            isMore = true
        }
        return isMore
    }
}
