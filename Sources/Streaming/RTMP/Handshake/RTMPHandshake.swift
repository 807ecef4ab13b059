import NIOCore
import Wire

/// The server's half of the handshake (RTMP 1.0 section 5.2, and the digest form of Flash Player 9 that came after it).
enum RTMPHandshake {
    static let version: UInt8 = 3
    /// C1, C2, S1 and S2.
    static let blockLength = 1536

    /// S0, S1 and S2 in answer to C1. The digest form is chosen when C1 carries a valid digest: Flash and its heirs play H.264
    /// only then.
    /// - Parameter c1: `blockLength` bytes.
    /// - Parameter random: at least `2 * blockLength` bytes.
    static func answer(c1: [UInt8], random: [UInt8]) -> ByteBuffer {
        var s1 = Array(random.prefix(blockLength))
        var s2: [UInt8]
        // Time 0, then the server's version. Zero here means the plain form (section 5.2.3).
        s1.replaceSubrange(0..<8, with: [0, 0, 0, 0, 0, 0, 0, 0])
        if let (scheme, digest) = RTMPDigest.find(in: c1, key: RTMPDigest.playerKey) {
            s1.replaceSubrange(4..<8, with: [4, 5, 0, 1])
            RTMPDigest.sign(&s1, scheme: scheme, key: RTMPDigest.serverKey)
            s2 = Array(random.suffix(blockLength))
            let code = RTMPDigest.answer(to: digest, key: RTMPDigest.fullServerKey, in: s2)
            s2.replaceSubrange(blockLength - code.count..<blockLength, with: code)
        } else {
            s2 = c1
        }
        var answer = ByteBufferAllocator().buffer(capacity: 1 + 2 * blockLength)
        answer.writeInteger(version)
        answer.writeBytes(s1)
        answer.writeBytes(s2)
        return answer
    }
}

/// The digest in C1 and S1: 32 bytes, at a place that four bytes of the block itself name.
enum RTMPDigest {
    /// Where the four bytes lie; the digest's place counts from behind them.
    enum Scheme: Int, CaseIterable {
        case first = 8
        case second = 772

        func digestOffset(in block: [UInt8]) -> Int? {
            guard block.count >= rawValue + 4 else { return nil }
            let sum = block[rawValue..<rawValue + 4].reduce(0) { $0 + Int($1) }
            return rawValue + 4 + sum % 728
        }
    }

    static let playerKey = Array("Genuine Adobe Flash Player 001".utf8)
    static let serverKey = Array("Genuine Adobe Flash Media Server 001".utf8)
    static let fullPlayerKey = playerKey + keyEnd
    static let fullServerKey = serverKey + keyEnd
    private static let keyEnd: [UInt8] = [
        0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
        0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
    ]

    /// The digest of a block and where it was, nil when neither place holds a valid one.
    static func find(in block: [UInt8], key: [UInt8]) -> (Scheme, [UInt8])? {
        // The peer's version is 0 in the plain form.
        guard block.count == RTMPHandshake.blockLength, block[4..<8] != [0, 0, 0, 0] else { return nil }
        for scheme in Scheme.allCases {
            guard let offset = scheme.digestOffset(in: block) else { continue }
            let digest = Array(block[offset..<offset + HMACSHA256.length])
            if code(of: block, without: offset, key: key) == digest { return (scheme, digest) }
        }
        return nil
    }

    static func sign(_ block: inout [UInt8], scheme: Scheme, key: [UInt8]) {
        guard let offset = scheme.digestOffset(in: block) else { return }
        block.replaceSubrange(offset..<offset + HMACSHA256.length, with: code(of: block, without: offset, key: key))
    }

    /// What the last bytes of the block hold that answers a signed one (C2, S2): a proof of having read its digest.
    static func answer(to digest: [UInt8], key: [UInt8], in block: [UInt8]) -> [UInt8] {
        HMACSHA256.code(key: HMACSHA256.code(key: key, digest), Array(block.dropLast(HMACSHA256.length)))
    }

    private static func code(of block: [UInt8], without offset: Int, key: [UInt8]) -> [UInt8] {
        HMACSHA256.code(key: key, Array(block[..<offset] + block[(offset + HMACSHA256.length)...]))
    }
}
