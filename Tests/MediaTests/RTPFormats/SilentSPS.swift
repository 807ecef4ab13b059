@testable import Media

/// Takes the VUI out of the SPS of a packet, as encoders of cameras leave it out.
enum SilentSPS {
    static func replace(in packet: [UInt8]) -> [UInt8] {
        guard let header = packet.withSpan({ RTPPacket($0) }) else { return packet }
        let payload = Array(packet[header.payload])
        let head = Array(packet[..<header.payload.lowerBound])
        switch (payload.first ?? 0) & 0x1F {
        case 7: return head + silenced(payload)
        case 24:
            var all = [payload[0]]
            var at = 1
            while at + 2 <= payload.count {
                let length = Int(payload[at]) << 8 | Int(payload[at + 1])
                var unit = Array(payload[at + 2..<at + 2 + length])
                if unit[0] & 0x1F == 7 { unit = silenced(unit) }
                all += [UInt8(unit.count >> 8), UInt8(unit.count & 255)] + unit
                at += 2 + length
            }
            return head + all
        default: return packet
        }
    }

    /// The bits up to vui_parameters_present_flag, that flag as 0, and the end. x264's SPS begin without emulation prevention.
    private static func silenced(_ sps: [UInt8]) -> [UInt8] {
        let flag = sps.withSpan { SequenceParameterSet.positionOfUsability(in: $0) }
        var reader = BitReader(Array(sps[1...]))
        var bits: [UInt8] = []
        for _ in 0..<flag { bits.append(UInt8(reader.bit() ?? 0)) }
        bits += [0, 1]
        while bits.count % 8 != 0 { bits.append(0) }
        var bytes = [sps[0]]
        for start in stride(from: 0, to: bits.count, by: 8) {
            bytes.append(bits[start..<start + 8].reduce(0) { $0 << 1 | $1 })
        }
        return bytes
    }
}

extension SequenceParameterSet {
    /// Where an SPS of x264, 4:2:0 without scaling lists, has its VUI flag.
    fileprivate static func positionOfUsability(in nal: RawSpan) -> Int {
        var reader = BitReader(rbspOf: nal, headerLength: 1)
        let profile = reader.bits(8)
        _ = reader.skip(16)
        _ = reader.unsignedGolomb()
        if [100, 110, 122, 244].contains(profile) {
            _ = reader.unsignedGolomb()
            _ = reader.unsignedGolomb()
            _ = reader.unsignedGolomb()
            _ = reader.skip(2)
        }
        _ = reader.unsignedGolomb()
        if reader.unsignedGolomb() == 0 { _ = reader.unsignedGolomb() }
        _ = reader.unsignedGolomb()
        _ = reader.skip(1)
        _ = reader.unsignedGolomb()
        _ = reader.unsignedGolomb()
        if reader.flag() == false { _ = reader.skip(1) }
        _ = reader.skip(1)
        if reader.flag() == true { for _ in 0..<4 { _ = reader.unsignedGolomb() } }
        return reader.position
    }
}
