import NIOCore
import Wire

/// The client's half of the handshake, in the digest form: servers that know only the plain one take its C1 for random bytes.
struct RTMPClientHandshake: Sendable {
    /// What the server has shown of itself.
    enum Form: Hashable, Sendable {
        /// S1 has no digest.
        case plain
        /// S1 and S2 are signed with the Flash Media Server's keys.
        case signed
        /// S1 is signed and S2 is not: nothing depends on it.
        case halfSigned
    }

    private static let answerLength = 1 + 2 * RTMPHandshake.blockLength

    /// C0 and C1.
    let hello: ByteBuffer
    private let c1Digest: [UInt8]
    private var random: SplitMix64
    private var received = ByteBuffer()

    init(seed: UInt64) {
        var random = SplitMix64(state: seed)
        var c1 = random.bytes(RTMPHandshake.blockLength)
        // Time 0, then a version of the Flash Player that knows digests.
        c1.replaceSubrange(0..<8, with: [0, 0, 0, 0, 9, 0, 124, 2])
        RTMPDigest.sign(&c1, scheme: .first, key: RTMPDigest.playerKey)
        c1Digest = RTMPDigest.find(in: c1, key: RTMPDigest.playerKey)?.1 ?? []
        self.random = random
        hello = ByteBuffer(bytes: [RTMPHandshake.version] + c1)
    }

    /// Takes bytes of S0, S1 and S2 off the input.
    /// - Returns: C2, once all three are there.
    mutating func receive(_ input: inout ByteBuffer) throws(RTMPFault) -> (c2: ByteBuffer, form: Form)? {
        let missing = Self.answerLength &- received.readableBytes
        if let part = input.readSlice(length: min(missing, input.readableBytes)) { received.writeImmutableBuffer(part) }
        if let version = received.getInteger(at: 0, as: UInt8.self), version != RTMPHandshake.version {
            throw .badVersion(version)
        }
        guard let s1 = received.getBytes(at: 1, length: RTMPHandshake.blockLength),
            let s2 = received.getBytes(at: 1 &+ RTMPHandshake.blockLength, length: RTMPHandshake.blockLength)
        else { return nil }
        received = ByteBuffer()
        guard let (_, digest) = RTMPDigest.find(in: s1, key: RTMPDigest.serverKey) else {
            return (ByteBuffer(bytes: s1), .plain)
        }
        let isSigned = RTMPDigest.answer(to: c1Digest, key: RTMPDigest.fullServerKey, in: s2) == Array(s2.suffix(32))
        var c2 = random.bytes(RTMPHandshake.blockLength)
        let code = RTMPDigest.answer(to: digest, key: RTMPDigest.fullPlayerKey, in: c2)
        c2.replaceSubrange(c2.count &- code.count..<c2.count, with: code)
        return (ByteBuffer(bytes: c2), isSigned ? .signed : .halfSigned)
    }
}
