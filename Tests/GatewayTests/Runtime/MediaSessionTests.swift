import NIOCore
import Testing

@testable import Gateway
@testable import Transport

@Suite struct MediaSessionTests {
    private static func packet(_ sequence: UInt8, ssrc: UInt8 = 1) -> [UInt8] {
        [0x80, 96, 0, sequence, 0, 0, 0, 0, 0, 0, 0, ssrc] + [UInt8](repeating: sequence, count: 188)
    }

    @Test func aCameraBehindNATIsFollowedAndAStrangerIsNot() throws {
        let request = MediaRequest(stream: "camera", transport: .udp, advertisedHost: "192.0.2.1") { _ in }
        let session = MediaSession(id: "PS1", request: request)
        let camera = try #require(RTPSource(host: "192.0.2.7", port: 40_000))
        let moved = try #require(RTPSource(host: "192.0.2.7", port: 40_010))
        let stranger = try #require(RTPSource(host: "198.51.100.9", port: 40_000))
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        func send(_ bytes: [UInt8], from source: RTPSource) {
            now = now + .milliseconds(20)
            session.receive(bytes.span.bytes, from: source, now: now)
        }
        send(Self.packet(1), from: camera)
        send(Self.packet(2), from: camera)
        #expect(session.mediaSource == camera)
        send(Self.packet(200, ssrc: 7), from: stranger)
        #expect(session.mediaSource == camera)
        #expect(session.report.rtp.rejected == 1)
        send(Self.packet(3), from: moved)
        #expect(session.mediaSource == moved)
        #expect(session.report.rtp.packets == 3)
    }
}
