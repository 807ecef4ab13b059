package import NIOCore

/// Decides whose packets a session takes (spec 4.1): the first valid source on its port, whatever its SSRC; a stranger
/// disturbs nothing, and a camera that comes back with another SSRC is followed.
package struct SourceLock: Sendable {
    package enum Verdict: Equatable, Sendable {
        case accept
        /// Take this source from now on: everything about the old one is to be forgotten. `takeFirst()` has its first packet.
        case change
        case reject
    }

    private static let silence = TimeAmount.seconds(2)

    private let expected: UInt32?
    package private(set) var locked: UInt32?
    private var lastSeen = NIODeadline.uptimeNanoseconds(0)
    private var candidate: (ssrc: UInt32, next: UInt16, first: [UInt8])?
    package private(set) var changes = 0
    package private(set) var rejected = 0
    package private(set) var lastRejected: UInt32?

    /// - Parameter expected: the SSRC that the camera answered, or was asked for.
    package init(expected: UInt32?) {
        self.expected = expected
    }

    /// - Parameters:
    ///   - isProductive: the locked source has given media.
    ///   - beginsMedia: this packet begins a pack.
    @inline(__always)
    package mutating func admit(
        _ packet: RTPPacket,
        _ bytes: RawSpan,
        isProductive: Bool,
        beginsMedia: Bool,
        now: NIODeadline
    ) -> Verdict {
        if packet.ssrc == locked {
            lastSeen = now
            return .accept
        }
        return consider(packet, bytes, isProductive: isProductive, beginsMedia: beginsMedia, now: now)
    }

    private mutating func consider(
        _ packet: RTPPacket,
        _ bytes: RawSpan,
        isProductive: Bool,
        beginsMedia: Bool,
        now: NIODeadline
    ) -> Verdict {
        guard let locked else {
            locked = packet.ssrc
            lastSeen = now
            return .accept
        }
        rejected += 1
        lastRejected = packet.ssrc
        guard let last = candidate, last.ssrc == packet.ssrc, last.next == packet.sequenceNumber else {
            candidate = (packet.ssrc, packet.sequenceNumber &+ 1, bytes.array(0..<bytes.byteCount))
            return .reject
        }
        let isTheCamera = packet.ssrc == expected && locked != expected
        let isSilent = now - lastSeen >= Self.silence
        guard isTheCamera || isSilent || (!isProductive && (beginsMedia || Self.beginsPack(last.first))) else {
            candidate = (packet.ssrc, packet.sequenceNumber &+ 1, bytes.array(0..<bytes.byteCount))
            return .reject
        }
        self.locked = packet.ssrc
        lastSeen = now
        changes += 1
        rejected -= 2
        return .change
    }

    private static func beginsPack(_ bytes: [UInt8]) -> Bool {
        bytes.withSpan { span in
            RTPPacket(span).map { span.matches([0, 0, 1, 0xBA], at: $0.payload.lowerBound) } ?? false
        }
    }

    /// The packet before the one that made the change.
    package mutating func takeFirst() -> [UInt8]? {
        defer { candidate = nil }
        return candidate?.first
    }
}
