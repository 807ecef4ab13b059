import NIOCore
import Wire

/// Packets that no datagram could carry, cut up: cameras send up to 64 KB over TCP. Extensions and contributing sources stay behind.
extension RTPSender {
    /// Appends the payload in packets of ours; false when its format does not allow that.
    mutating func cut(
        _ packet: RawSpan,
        _ header: RTPPacket,
        _ format: ForwardedPayload,
        timestamp: UInt32,
        into buffer: inout ByteBuffer
    ) -> Bool {
        let payload = packet.extracting(header.payload)
        // Padding and extensions alone do not make a large payload.
        guard payload.byteCount > 0 else { return false }
        switch format {
        case .h264: return cut(h264: payload, timestamp: timestamp, marker: header.marker, into: &buffer)
        case .h265(hasOrderNumbers: false):
            return cut(h265: payload, timestamp: timestamp, marker: header.marker, into: &buffer)
        case .samples(let size):
            append(
                samples: payload,
                0..<payload.byteCount,
                sampleSize: size,
                timestamp: timestamp,
                marker: header.marker,
                into: &buffer
            )
            return true
        case .aac(let samples): return cut(aac: payload, samples: samples, timestamp: timestamp, header.marker, &buffer)
        case .transportStream:
            // RFC 2250 2: whole packets of 188 bytes.
            guard payload.byteCount % 188 == 0 else { return false }
            append(
                pieces: payload,
                0..<payload.byteCount,
                size: Self.largestPayload / 188 &* 188,
                timestamp: timestamp,
                endsWithMarker: header.marker,
                into: &buffer
            )
            return true
        default: return false
        }
    }

    private mutating func cut(
        h264 payload: RawSpan,
        timestamp: UInt32,
        marker: Bool,
        into buffer: inout ByteBuffer
    ) -> Bool {
        guard let header = payload.uint8(at: 0), let second = payload.uint8(at: 1) else { return false }
        let whole = 0..<payload.byteCount
        switch header & 0x1F {
        case 1...23:
            append(large: payload, whole, of: .h264, timestamp: timestamp, marker: marker, into: &buffer)
        case 24:
            return cut(aggregate: payload, from: 1, of: .h264, timestamp: timestamp, marker, &buffer)
        case 28:
            append(
                pieces: payload,
                2..<payload.byteCount,
                of: .h264,
                head: UInt16(header),
                fragment: second,
                timestamp: timestamp,
                marker: marker,
                into: &buffer
            )
        default: return false
        }
        return true
    }

    private mutating func cut(
        h265 payload: RawSpan,
        timestamp: UInt32,
        marker: Bool,
        into buffer: inout ByteBuffer
    ) -> Bool {
        guard let header = payload.uint16(at: 0), let third = payload.uint8(at: 2) else { return false }
        switch header >> 9 & 0x3F {
        case 0...47:
            append(
                large: payload,
                0..<payload.byteCount,
                of: .h265,
                timestamp: timestamp,
                marker: marker,
                into: &buffer
            )
        case 48:
            return cut(aggregate: payload, from: 2, of: .h265, timestamp: timestamp, marker, &buffer)
        case 49:
            append(
                pieces: payload,
                3..<payload.byteCount,
                of: .h265,
                head: header,
                fragment: third,
                timestamp: timestamp,
                marker: marker,
                into: &buffer
            )
        default: return false
        }
        return true
    }

    /// The units of an aggregation packet, put together anew. One that is cut short is not: nothing would be left of it.
    private mutating func cut(
        aggregate payload: RawSpan,
        from start: Int,
        of codec: VideoCodec,
        timestamp: UInt32,
        _ marker: Bool,
        _ buffer: inout ByteBuffer
    ) -> Bool {
        let before = buffer.writerIndex
        append(
            units: payload.extracting(start..<payload.byteCount),
            lengthSize: 2,
            of: codec,
            timestamp: timestamp,
            endsAccessUnit: marker,
            into: &buffer
        )
        return buffer.writerIndex > before
    }

    /// RFC 3640: each access unit in a packet, or in pieces, of its own.
    private mutating func cut(
        aac payload: RawSpan,
        samples: Int,
        timestamp: UInt32,
        _ marker: Bool,
        _ buffer: inout ByteBuffer
    ) -> Bool {
        guard let bits = payload.uint16(at: 0), bits >= 16, bits % 16 == 0 else { return false }
        let count = Int(bits) / 16
        var at = 2 &+ count &* 2
        guard at < payload.byteCount else { return false }
        if count == 1, let header = payload.uint16(at: 2), Int(header >> 3) != payload.byteCount &- at {
            // A piece of a unit: pieces of it tell the same size.
            append(
                pieces: payload,
                at..<payload.byteCount,
                size: Self.largestPayload &- 4,
                Prefix(word: 16 << 16 | UInt32(header)),
                timestamp: timestamp,
                endsWithMarker: marker,
                into: &buffer
            )
            return true
        }
        var sizes = 0
        for index in 0..<count { sizes &+= Int((payload.uint16(at: 2 &+ index &* 2) ?? 0) >> 3) }
        guard sizes == payload.byteCount &- at else { return false }
        var timestamp = timestamp
        for index in 0..<count {
            let size = Int((payload.uint16(at: 2 &+ index &* 2) ?? 0) >> 3)
            _ = append(aac: payload, at..<at &+ size, timestamp: timestamp, into: &buffer)
            timestamp &+= UInt32(truncatingIfNeeded: samples)
            at &+= size
        }
        return true
    }
}
