import NIOCore
import Testing

@testable import Streaming

@Suite("WebSocket")
struct WebSocketTests {
    /// A masked client frame.
    private static func frame(_ first: UInt8, _ payload: [UInt8], mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]) -> [UInt8] {
        var bytes = [first]
        switch payload.count {
        case ...125: bytes.append(0x80 | UInt8(payload.count))
        default: bytes += [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    private func read(_ bytes: [UInt8]) throws -> [WebSocketEvent] {
        let buffer = ByteBuffer(bytes: bytes)
        var events: [WebSocketEvent] = []
        var parser = WebSocketParser()
        try parser.receive(buffer, into: &events)
        for (first, second) in buffer.splits {
            var again: [WebSocketEvent] = []
            var parser = WebSocketParser()
            try parser.receive(first, into: &again)
            try parser.receive(second, into: &again)
            #expect(again == events)
        }
        return events
    }

    @Test("the accept key of RFC 6455 section 1.3")
    func acceptKey() {
        #expect(WebSocketHandshake.accept(key: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test("upgrade is recognised among other tokens and in any case")
    func recognisesUpgrade() {
        #expect(WebSocketHandshake.isUpgrade(connection: ["keep-alive, Upgrade"], upgrade: ["WebSocket"]))
        #expect(WebSocketHandshake.isUpgrade(connection: ["keep-alive", "upgrade"], upgrade: ["websocket"]))
        #expect(!WebSocketHandshake.isUpgrade(connection: ["keep-alive"], upgrade: ["websocket"]))
        #expect(!WebSocketHandshake.isUpgrade(connection: ["Upgrade"], upgrade: ["h2c"]))
    }

    @Test("headers of server frames in the three lengths")
    func writesHeaders() {
        func header(_ length: Int) -> [UInt8] {
            var buffer = ByteBuffer()
            WebSocketFrame.writeHeader(opcode: .binary, length: length, into: &buffer)
            return Array(buffer.readableBytesView)
        }
        #expect(header(125) == [0x82, 125])
        #expect(header(126) == [0x82, 126, 0, 126])
        #expect(header(0xFFFF) == [0x82, 126, 0xFF, 0xFF])
        #expect(header(0x1_0000) == [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0])
        var close = ByteBuffer()
        WebSocketFrame.writeClose(code: 1000, into: &close)
        #expect(Array(close.readableBytesView) == [0x88, 2, 0x03, 0xE8])
    }

    @Test("the masked Hello of section 5.7, whole and at every split")
    func readsMasked() throws {
        let hello: [UInt8] = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(try read(hello) == [.text(ByteBuffer(string: "Hello"))])
    }

    @Test("a ping between the fragments of a message, a pong, a close")
    func joinsFragments() throws {
        let bytes =
            Self.frame(0x01, Array("Hel".utf8)) + Self.frame(0x89, [1, 2]) + Self.frame(0x80, Array("lo".utf8))
            + Self.frame(0x8A, []) + Self.frame(0x82, Array(repeating: 7, count: 300)) + Self.frame(0x88, [0x03, 0xE9])
        #expect(
            try read(bytes) == [
                .ping(ByteBuffer(bytes: [1, 2])), .text(ByteBuffer(string: "Hello")), .pong(ByteBuffer()),
                .binary(ByteBuffer(repeating: 7, count: 300)), .close(code: 1001),
            ]
        )
        #expect(try read(Self.frame(0x88, [])) == [.close(code: 1005)])
    }

    @Test("breaches are faults with their close codes")
    func refusesBreaches() {
        func fault(_ bytes: [UInt8]) -> WebSocketFault? {
            var parser = WebSocketParser(maximumLength: 1000)
            var events: [WebSocketEvent] = []
            do throws(WebSocketFault) { try parser.receive(ByteBuffer(bytes: bytes), into: &events) } catch {
                return error
            }
            return nil
        }
        #expect(fault([0x81, 0x01, 0x41]) == .wrongMasking)
        #expect(fault([0xC1, 0x80, 0, 0, 0, 0]) == .reservedBits)
        #expect(fault([0x83, 0x80, 0, 0, 0, 0]) == .unknownOpcode(3))
        #expect(fault([0x09, 0x80, 0, 0, 0, 0]) == .badControlFrame)
        #expect(fault([0x89, 0xFE, 0, 200]) == .badControlFrame)
        #expect(fault(Self.frame(0x88, [3])) == .badControlFrame)
        #expect(fault(Self.frame(0x80, [3])) == .badFragment)
        #expect(fault(Self.frame(0x01, [3]) + Self.frame(0x81, [3])) == .badFragment)
        #expect(fault([0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == .tooLong(limit: 1000))
        let half = Array(repeating: 1 as UInt8, count: 600)
        #expect(fault(Self.frame(0x02, half) + Self.frame(0x80, half)) == .tooLong(limit: 1000))
        #expect(WebSocketFault.tooLong(limit: 1).closeCode == 1009)
        #expect(WebSocketFault.wrongMasking.closeCode == 1002)
    }
}
