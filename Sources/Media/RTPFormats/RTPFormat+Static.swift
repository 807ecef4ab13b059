import Wire

extension RTPFormat {
    package static let videoClockRate = 90_000
    /// What no clock runs beyond: a larger number is a mistake.
    private static let highestClockRate = 10_000_000

    /// Reads what stands behind `a=rtpmap:`. Some cameras leave the clock rate out: it is 90000 then.
    init?(map text: String) {
        guard let map = SessionDescription.RTPMap(text) else { return nil }
        let isRate = (1...Self.highestClockRate).contains(map.clockRate)
        let hasChannels = text.utf8.count { $0 == UInt8(ascii: "/") } >= 2 && (1...255).contains(map.channels)
        self.init(
            payloadType: map.payloadType,
            encoding: map.encoding,
            clockRate: isRate ? map.clockRate : Self.videoClockRate,
            channels: hasChannels ? map.channels : nil
        )
    }

    /// The formats that need no `a=rtpmap` (RFC 3551 6).
    package init?(staticType type: UInt8) {
        let known: (encoding: String, clockRate: Int, channels: Int?)? =
            switch type {
            case 0: ("PCMU", 8000, nil)
            case 3: ("GSM", 8000, nil)
            case 4: ("G723", 8000, nil)
            case 5: ("DVI4", 8000, nil)
            case 6: ("DVI4", 16_000, nil)
            case 7: ("LPC", 8000, nil)
            case 8: ("PCMA", 8000, nil)
            case 9: ("G722", 8000, nil)
            case 10: ("L16", 44_100, 2)
            case 11: ("L16", 44_100, 1)
            case 12: ("QCELP", 8000, nil)
            case 13: ("CN", 8000, nil)
            case 14: ("MPA", 90_000, nil)
            case 15: ("G728", 8000, nil)
            case 16: ("DVI4", 11_025, nil)
            case 17: ("DVI4", 22_050, nil)
            case 18: ("G729", 8000, nil)
            case 25: ("CelB", 90_000, nil)
            case 26: ("JPEG", 90_000, nil)
            case 28: ("nv", 90_000, nil)
            case 31: ("H261", 90_000, nil)
            case 32: ("MPV", 90_000, nil)
            case 33: ("MP2T", 90_000, nil)
            case 34: ("H263", 90_000, nil)
            default: nil
            }
        guard let known else { return nil }
        self.init(payloadType: type, encoding: known.encoding, clockRate: known.clockRate, channels: known.channels)
    }

    /// `a=rtpmap`'s value, or nil when the SDP gave none and there is nothing to say.
    var map: String? {
        guard !encoding.isEmpty else { return nil }
        return "\(payloadType) \(encoding)/\(clockRate)\(channels.map { "/\($0)" } ?? "")"
    }
}
