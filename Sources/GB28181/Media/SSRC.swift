/// The SSRC that GB28181 agrees on in `y=` (4.1): ten decimal digits, which are also the RTP SSRC as a number.
package struct SSRC: Hashable, Sendable {
    package let value: UInt32

    package init(value: UInt32) {
        self.value = value
    }

    /// Reads `y=`: decimal digits, with or without the leading zero. Some cameras add blanks or more text behind.
    package init?(_ text: String) {
        let digits = text.drop { $0 == " " }.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, let value = UInt32(digits) else { return nil }
        self.value = value
    }

    /// Ten digits: the leading zero of live streams counts (SRS #1834).
    package var text: String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, 10 - digits.count)) + digits
    }
}

/// Gives each session of this platform an SSRC of its own: `0` live or `1` history, digits 4-8 of the platform's ID, and
/// four digits that no other live session has.
package struct SSRCAllocator: Sendable {
    /// What the four digits allow.
    package static let capacity = 10_000

    private let prefix: UInt32
    private var used = Set<UInt32>()
    private var next: UInt32

    /// - Parameters:
    ///   - platformID: an ID of any length; digits that are missing count as 0.
    ///   - firstSerial: where to begin. A random start keeps late packets from before a restart out of new sessions.
    package init(platformID: String, firstSerial: UInt32 = 1) {
        prefix = platformID.utf8.dropFirst(3).prefix(5).reduce(0) { number, byte in
            number * 10 + (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? UInt32(byte) - 48 : 0)
        }
        next = firstSerial % UInt32(Self.capacity)
    }

    package enum Kind: Hashable, Sendable {
        case live
        case history
    }

    /// Nil when all 10,000 serials are in use. Serials rotate: a released one is used again as late as can be.
    package mutating func allocate(_ kind: Kind = .live) -> SSRC? {
        guard used.count < Self.capacity else { return nil }
        while used.contains(next) { next = (next + 1) % UInt32(Self.capacity) }
        let serial = next
        used.insert(serial)
        next = (next + 1) % UInt32(Self.capacity)
        return SSRC(value: (kind == .live ? 0 : 1_000_000_000) + prefix * 10_000 + serial)
    }

    /// Takes one of ours back; another's is ignored.
    package mutating func release(_ ssrc: SSRC) {
        guard ssrc.value / 10_000 % 100_000 == prefix else { return }
        used.remove(ssrc.value % 10_000)
    }

    /// How many are in use.
    package var count: Int { used.count }
}
