import NIOCore

@testable import Media

/// Packets made by hand, one after the other.
struct RTSPPackets {
    var number: UInt16 = 65_530
    var ssrc: UInt32 = 0x1234_5678
    var payloadType: UInt8 = 96
    var all: [[UInt8]] = []

    mutating func add(_ payload: [UInt8], timestamp: UInt32, marker: Bool = false) {
        all.append(packet(payload, timestamp: timestamp, marker: marker))
        number &+= 1
    }

    private func packet(_ payload: [UInt8], timestamp: UInt32, marker: Bool) -> [UInt8] {
        var bytes: [UInt8] = [0x80, (marker ? 0x80 : 0) | payloadType, UInt8(number >> 8), UInt8(number & 255)]
        for word in [timestamp, ssrc] { bytes += word.bytes }
        return bytes + payload
    }

    /// Pictures of H.264, one NAL unit of `size` bytes in fragments, a key frame with its sets every `interval`.
    mutating func addPictures(_ range: Range<Int>, interval: Int = 10, size: Int = 3000, step: UInt32 = 3600) {
        for index in range {
            let isKey = index % interval == 0
            let timestamp = UInt32(truncatingIfNeeded: 0xFFFF_0000 + index * Int(step))
            if isKey {
                add(Synthetic.h264SPS, timestamp: timestamp)
                add(Synthetic.h264PPS, timestamp: timestamp)
            }
            addFragments(Synthetic.slice(.h264, isKey: isKey, size: size, seed: index), timestamp: timestamp)
        }
    }

    mutating func addFragments(_ unit: [UInt8], timestamp: UInt32, size: Int = 1000) {
        let body = Array(unit.dropFirst())
        for start in stride(from: 0, to: body.count, by: size) {
            let end = min(start + size, body.count)
            let flags: UInt8 = (start == 0 ? 0x80 : 0) | (end == body.count ? 0x40 : 0)
            let head = [unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F]
            add(head + body[start..<end], timestamp: timestamp, marker: end == body.count)
        }
    }

    static func senderReport(_ ssrc: UInt32 = 7, ntp: UInt64, timestamp: UInt32) -> [UInt8] {
        let words = [UInt32(ntp >> 32), UInt32(ntp & 0xFFFF_FFFF), timestamp, 1, 1]
        return [0x80, 200, 0, 6] + ssrc.bytes + words.flatMap(\.bytes)
    }
}

extension UInt32 {
    var bytes: [UInt8] { [24, 16, 8, 0].map { UInt8(self >> UInt32($0) & 255) } }
}
