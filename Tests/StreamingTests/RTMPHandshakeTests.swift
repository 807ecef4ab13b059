import NIOCore
import Testing
import Wire

@testable import Streaming

@Suite("RTMP handshake")
struct RTMPHandshakeTests {
    private static let random = (0..<3072).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 5) }

    private static func c1(version: [UInt8]) -> [UInt8] {
        [0, 0, 0, 9] + version + (0..<1528).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    }

    @Test("plain: S2 echoes C1, S1 names version 0")
    func plain() {
        let c1 = Self.c1(version: [0, 0, 0, 0])
        let answer = Array(RTMPHandshake.answer(c1: c1, random: Self.random).readableBytesView)
        #expect(answer.count == 3073)
        #expect(answer[0] == 3)
        #expect(answer[5..<9] == [0, 0, 0, 0])
        #expect(Array(answer[1537...]) == c1)
    }

    @Test("with a digest at either place: S1 is signed at the same place, S2 is signed with the client's digest")
    func digests() throws {
        for scheme in RTMPDigest.Scheme.allCases {
            var c1 = Self.c1(version: [9, 0, 124, 2])
            RTMPDigest.sign(&c1, scheme: scheme, key: RTMPDigest.playerKey)
            let answer = Array(RTMPHandshake.answer(c1: c1, random: Self.random).readableBytesView)
            let s1 = Array(answer[1..<1537])
            let s2 = Array(answer[1537...])
            let found = try #require(RTMPDigest.find(in: s1, key: RTMPDigest.serverKey))
            #expect(found.0 == scheme)
            let digest = try #require(RTMPDigest.find(in: c1, key: RTMPDigest.playerKey)).1
            let key = HMACSHA256.code(key: RTMPDigest.fullServerKey, digest)
            #expect(Array(s2[1504...]) == HMACSHA256.code(key: key, Array(s2[..<1504])))
        }
    }

    @Test("a version without a valid digest is answered in the plain form")
    func wrongDigest() {
        let c1 = Self.c1(version: [9, 0, 124, 2])
        let answer = Array(RTMPHandshake.answer(c1: c1, random: Self.random).readableBytesView)
        #expect(Array(answer[1537...]) == c1)
    }

    @Test("hashes: RFC 4231 test case 2, RFC 3174, RFC 4648")
    func hashes() {
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        #expect(
            hex(HMACSHA256.code(key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
        #expect(hex(SHA1.hash(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        for (text, code) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            #expect(Base64.encode(Array(text.utf8)) == code)
            #expect(Base64.decode(code) == Array(text.utf8))
        }
        #expect(Base64.decode("Zg") == [0x66])
        #expect(Base64.decode("Z") == nil)
        #expect(Base64.decode("Z*==") == nil)
    }
}
