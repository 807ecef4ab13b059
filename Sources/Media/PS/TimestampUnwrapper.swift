/// Makes a running number out of timestamps of 33 bits, or of 32: a few cameras wrap after 13 hours.
struct TimestampUnwrapper: Equatable, Sendable {
    private var last: UInt64?
    private(set) var value: Int64 = 0

    /// 3 s: a step beyond it is a jump, and not taken for one if another width makes it small.
    static let largestStep: Int64 = 270_000

    mutating func unwrap(_ raw: UInt64) -> Int64 {
        defer { last = raw }
        guard let last else {
            value = Int64(raw & 0x1_FFFF_FFFF)
            return value
        }
        var step = Self.difference(raw, last, bits: 33)
        if step.magnitude > UInt64(Self.largestStep) {
            let narrow = Self.difference(raw, last, bits: 32)
            if narrow.magnitude <= UInt64(Self.largestStep) { step = narrow }
        }
        value &+= step
        return value
    }

    /// The signed difference modulo 2^bits that is nearest to zero.
    static func difference(_ left: UInt64, _ right: UInt64, bits: Int64) -> Int64 {
        let shift = 64 - bits
        return Int64(bitPattern: (left &- right) << UInt64(shift)) >> shift
    }
}
