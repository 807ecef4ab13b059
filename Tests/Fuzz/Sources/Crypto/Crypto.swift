/// What the layers use of swift-crypto, with hashes that have the right lengths and are good for nothing else: a fuzzer asks
/// whether the parsers around them hold, and two calls with one input agree.
public enum Insecure {
    public enum MD5: Hash {
        public static let length = 16
    }

    public enum SHA1: Hash {
        public static let length = 20
    }
}

public enum SHA256: Hash {
    public static let length = 32
}

public protocol Hash {
    static var length: Int { get }
}

extension Hash {
    public static func hash(data: [UInt8]) -> [UInt8] {
        // FNV-1a, once for every eight bytes that are wanted.
        var bytes: [UInt8] = []
        for round in 0..<UInt64(length + 7) / 8 {
            var state = 0xCBF2_9CE4_8422_2325 ^ round
            for byte in data { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
            for shift in 0..<UInt64(8) { bytes.append(UInt8(truncatingIfNeeded: state >> (8 * shift))) }
        }
        return Array(bytes.prefix(length))
    }
}

public struct SymmetricKey: Sendable {
    fileprivate let bytes: [UInt8]

    public init(data: [UInt8]) {
        bytes = data
    }
}

public enum HMAC<H: Hash> {
    public static func authenticationCode(for message: [UInt8], using key: SymmetricKey) -> [UInt8] {
        H.hash(data: key.bytes + message)
    }
}
