import Wire

/// Cuts program stream into RTP packets: the sending side of a camera.
package struct RTPPacketizer: Sendable {
    package var ssrc: UInt32
    package var payloadType: UInt8
    package private(set) var sequenceNumber: UInt16
    /// Payload bytes a packet.
    private let size: Int
    private var packet: [UInt8] = []

    /// - Parameter maximumPayload: 1400 keeps a packet below an Ethernet frame with tunnels.
    package init(ssrc: UInt32, payloadType: UInt8 = 96, sequenceNumber: UInt16 = 0, maximumPayload: Int = 1400) {
        self.ssrc = ssrc
        self.payloadType = payloadType
        self.sequenceNumber = sequenceNumber
        size = max(maximumPayload, 1)
    }

    /// Hands each packet of one frame to `send`, valid for the call; the last one has the marker.
    package mutating func packetize(_ frame: RawSpan, timestamp: UInt32, send: (RawSpan) -> Void) {
        var at = 0
        while at < frame.byteCount {
            let end = min(at + size, frame.byteCount)
            packet.removeAll(keepingCapacity: true)
            packet.append(0x80)
            packet.append((end == frame.byteCount ? 0x80 : 0) | payloadType & 0x7F)
            packet.append(UInt8(sequenceNumber >> 8))
            packet.append(UInt8(sequenceNumber & 0xFF))
            for word in [timestamp, ssrc] {
                packet.append(UInt8(word >> 24))
                packet.append(UInt8(word >> 16 & 0xFF))
                packet.append(UInt8(word >> 8 & 0xFF))
                packet.append(UInt8(word & 0xFF))
            }
            packet.append(frame.extracting(at..<end))
            packet.withSpan(send)
            sequenceNumber &+= 1
            at = end
        }
    }
}
