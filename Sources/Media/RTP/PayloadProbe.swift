import NIOCore
import Wire

/// What the payload of a session's RTP is, by what it contains rather than by its payload type (spec 5.5).
package enum PayloadKind: Hashable, Sendable {
    case programStream
    case video(VideoCodec)
    case g711(AudioCodec)
    /// Named so that a user can tell what the camera sends.
    case unsupported(String)
}

/// Looks at the first packets of a session.
struct PayloadProbe: Sendable {
    private static let largestSearch = 1 << 20
    private static let longestSearch = TimeAmount.seconds(3)

    private let mapping: [UInt8: PayloadKind]
    private var bytes = 0
    private var since: NIODeadline?
    private var transportStreamPackets = 0

    /// - Parameter mapping: what the camera's SDP says of its payload types; it goes before the customary numbers.
    init(mapping: [UInt8: PayloadKind]) {
        self.mapping = mapping
    }

    mutating func probe(_ packet: RTPPacket, _ payload: RawSpan, now: NIODeadline) -> PayloadKind? {
        guard payload.byteCount > 0 else { return nil }
        if Self.containsPack(payload) { return .programStream }
        let declared = mapping[packet.payloadType] ?? Self.customary(packet.payloadType)
        switch declared {
        case .g711: return declared
        case .video(let codec): if VideoDepacketizer.recognise(payload) == codec { return declared }
        default: break
        }
        if declared != .programStream || bytes > 64 << 10, let codec = VideoDepacketizer.recognise(payload) {
            return .video(codec)
        }
        if payload.uint8(at: 0) == 0x47, payload.byteCount % 188 == 0 {
            transportStreamPackets += 1
            if transportStreamPackets >= 3 { return .unsupported("MPEG transport stream") }
        }
        let start = since ?? now
        since = start
        bytes += payload.byteCount
        guard bytes > Self.largestSearch || now - start > Self.longestSearch else { return nil }
        return .unsupported(
            "payload type \(packet.payloadType) that is neither program stream nor H.264 nor H.265"
        )
    }

    private static func containsPack(_ payload: RawSpan) -> Bool {
        var at = 0
        while let found = payload.startCode(from: at) {
            if payload.uint8(at: found + 3) == 0xBA { return true }
            at = found + 3
        }
        return false
    }

    private static func customary(_ type: UInt8) -> PayloadKind? {
        switch type {
        case 0: .g711(.g711u)
        case 8: .g711(.g711a)
        case 98: .video(.h264)
        case 99, 100: .video(.h265)
        default: nil
        }
    }
}
