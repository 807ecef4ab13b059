/// A classic pcap file, and the UDP and TCP in it.
struct Capture {
    struct Segment {
        /// ns since the first record.
        var time: UInt64
        var source: String
        var destination: String
        var payload: ArraySlice<UInt8>
        /// The sequence number of a TCP segment; nil for UDP.
        var sequence: UInt32?
        var isSyn = false
    }

    let bytes: [UInt8]
    private let isLittleEndian: Bool
    private let ticksPerSecond: UInt64
    private let linkType: UInt32
    /// Records that hold no UDP or TCP, and fragments.
    private(set) var skipped = 0
    private(set) var isCut = false

    /// Nil when the bytes are no pcap file.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 24 else { return nil }
        self.bytes = bytes
        switch Array(bytes.prefix(4)) {
        case [0xD4, 0xC3, 0xB2, 0xA1]: (isLittleEndian, ticksPerSecond) = (true, 1_000_000)
        case [0xA1, 0xB2, 0xC3, 0xD4]: (isLittleEndian, ticksPerSecond) = (false, 1_000_000)
        case [0x4D, 0x3C, 0xB2, 0xA1]: (isLittleEndian, ticksPerSecond) = (true, 1_000_000_000)
        case [0xA1, 0xB2, 0x3C, 0x4D]: (isLittleEndian, ticksPerSecond) = (false, 1_000_000_000)
        default: return nil
        }
        let raw = bytes[20..<24].map(UInt32.init)
        linkType =
            (isLittleEndian
                ? raw[0] | raw[1] << 8 | raw[2] << 16 | raw[3] << 24
                : raw[0] << 24 | raw[1] << 16 | raw[2] << 8 | raw[3])
            & 0xFFFF
    }

    private func word(_ at: Int) -> UInt32 {
        let raw = bytes[at..<at + 4].reversed().map(UInt32.init)
        return isLittleEndian
            ? raw[0] << 24 | raw[1] << 16 | raw[2] << 8 | raw[3] : raw[3] << 24 | raw[2] << 16 | raw[1] << 8 | raw[0]
    }

    /// All UDP datagrams and TCP segments, in order.
    mutating func segments() -> [Segment] {
        var segments: [Segment] = []
        var first: UInt64?
        var at = 24
        while at + 16 <= bytes.count {
            let time = UInt64(word(at)) * 1_000_000_000 + UInt64(word(at + 4)) * (1_000_000_000 / ticksPerSecond)
            let length = Int(word(at + 8))
            guard length <= bytes.count - at - 16 else {
                isCut = true
                break
            }
            let origin = first ?? time
            first = origin
            let record = bytes[at + 16..<at + 16 + length]
            if let segment = segment(record, time: time >= origin ? time - origin : 0) {
                segments.append(segment)
            } else {
                skipped += 1
            }
            at += 16 + length
        }
        return segments
    }

    private func segment(_ record: ArraySlice<UInt8>, time: UInt64) -> Segment? {
        guard let packet = network(record), let version = packet.first else { return nil }
        var kind: UInt8
        var payload: ArraySlice<UInt8>
        var addresses: (String, String)
        if version >> 4 == 4 {
            let header = Int(version & 0xF) * 4
            guard header >= 20, packet.count >= header else { return nil }
            let base = packet.startIndex
            let total = min(Int(packet[base + 2]) << 8 | Int(packet[base + 3]), packet.count)
            // A fragment other than the first has no ports.
            guard total >= header, (Int(packet[base + 6]) << 8 | Int(packet[base + 7])) & 0x1FFF == 0 else {
                return nil
            }
            kind = packet[base + 9]
            payload = packet[base + header..<base + total]
            addresses = (Self.dotted(packet[base + 12..<base + 16]), Self.dotted(packet[base + 16..<base + 20]))
        } else if version >> 4 == 6 {
            guard packet.count >= 40 else { return nil }
            let base = packet.startIndex
            kind = packet[base + 6]
            payload = packet[(base + 40)...]
            addresses = (Self.colons(packet[base + 8..<base + 24]), Self.colons(packet[base + 24..<base + 40]))
        } else {
            return nil
        }
        let base = payload.startIndex
        guard payload.count >= 8 else { return nil }
        let source = "\(addresses.0):\(Int(payload[base]) << 8 | Int(payload[base + 1]))"
        let destination = "\(addresses.1):\(Int(payload[base + 2]) << 8 | Int(payload[base + 3]))"
        if kind == 17 {
            return Segment(time: time, source: source, destination: destination, payload: payload[(base + 8)...])
        }
        guard kind == 6, payload.count >= 20 else { return nil }
        let offset = Int(payload[base + 12] >> 4) * 4
        guard offset >= 20, offset <= payload.count else { return nil }
        let sequence = payload[base + 4..<base + 8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Segment(
            time: time,
            source: source,
            destination: destination,
            payload: payload[(base + offset)...],
            sequence: sequence,
            isSyn: payload[base + 13] & 2 != 0
        )
    }

    /// The IP packet in a record.
    private func network(_ record: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let base = record.startIndex
        switch linkType {
        case 1:
            guard record.count >= 14 else { return nil }
            var at = base + 12
            // VLAN tags.
            while at + 6 <= record.endIndex, record[at] == 0x81 || record[at] == 0x88,
                record[at + 1] == 0 || record[at + 1] == 0xA8
            {
                at += 4
            }
            return record[(at + 2)...]
        case 113: return record.count >= 16 ? record[(base + 16)...] : nil
        case 276: return record.count >= 20 ? record[(base + 20)...] : nil
        case 0: return record.count >= 4 ? record[(base + 4)...] : nil
        case 12, 101, 228, 229: return record
        default: return nil
        }
    }

    private static func dotted(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map(String.init).joined(separator: ".")
    }

    private static func colons(_ bytes: ArraySlice<UInt8>) -> String {
        let bytes = Array(bytes)
        let groups = stride(from: 0, to: 16, by: 2).map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }
        return "[" + groups.joined(separator: ":") + "]"
    }
}
