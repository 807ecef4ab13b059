import SIP
import Testing

@Suite("SIP over TCP")
struct FramerTests {
    private static func message(_ body: String, callID: String = "x") -> [UInt8] {
        crlf(
            "MESSAGE sip:1@2 SIP/2.0\nVia: SIP/2.0/TCP 1.2.3.4;branch=z9hG4bKa\nFrom: <sip:a@b>\nTo: <sip:c@d>\nCall-ID: \(callID)\n"
                + "CSeq: 1 MESSAGE\nContent-Length: \(body.utf8.count)\n\n\(body)"
        )
    }

    private static func bodies(_ events: [SIPStreamFramer.Event]) -> [String] {
        events.compactMap { event in
            guard case .message(let message) = event else { return nil }
            return String(decoding: message.body, as: UTF8.self)
        }
    }

    private static let stream =
        message("first\r\n\r\nbody") + [13, 10, 13, 10] + message("") + [0x6A, 0x61, 0x4B, 0]
        + message("SIP/2.0 200 OK") + [13, 10]
    private static let expected = ["first\r\n\r\nbody", "", "SIP/2.0 200 OK"]

    @Test("several messages and keep-alives in one segment")
    func readsSeveral() throws {
        var framer = SIPStreamFramer()
        #expect(Self.bodies(try framer.receive(Self.stream)) == Self.expected)
        #expect(framer.bufferedBytes == 0)
    }

    @Test("byte by byte")
    func readsByteByByte() throws {
        var framer = SIPStreamFramer()
        var events: [SIPStreamFramer.Event] = []
        for byte in Self.stream { events += try framer.receive([byte]) }
        #expect(Self.bodies(events) == Self.expected)
    }

    @Test("split anywhere")
    func readsEverySplit() throws {
        for split in Self.stream.indices {
            var framer = SIPStreamFramer()
            var events = try framer.receive(Array(Self.stream[..<split]))
            events += try framer.receive(Array(Self.stream[split...]))
            #expect(Self.bodies(events) == Self.expected, "split at \(split)")
        }
    }

    @Test("a header without end and a body over the limit end the stream")
    func keepsItsLimits() throws {
        var endless = SIPStreamFramer()
        #expect(throws: SIPParseError.headerTooLong(limit: 16_384)) {
            for _ in 0..<20 { _ = try endless.receive(Array(repeating: 0x41, count: 1000)) }
        }
        #expect(endless.isBroken)
        #expect(endless.bufferedBytes == 0)
        var large = SIPStreamFramer(bodyLimit: 10)
        #expect(throws: SIPParseError.bodyTooLong(length: 11, limit: 10)) {
            try large.receive(Self.message("12345678901"))
        }
        var raised = SIPStreamFramer(bodyLimit: 10)
        raised.bodyLimit = 11
        #expect(Self.bodies(try raised.receive(Self.message("12345678901"))) == ["12345678901"])
    }

    @Test("what came before a fault is not lost")
    func deliversBeforeFault() throws {
        var framer = SIPStreamFramer(bodyLimit: 10)
        let events = try framer.receive(Self.message("good") + Self.message("12345678901"))
        #expect(Self.bodies(events) == ["good"])
        #expect(framer.isBroken)
    }

    @Test("noise between messages is skipped, an unreadable message too")
    func skipsNoise() throws {
        var framer = SIPStreamFramer()
        let unreadable = crlf("MESSAGE sip:1@2 SIP/2.0\nFrom: a\nTo: b\nCSeq: 1 MESSAGE\nContent-Length: 3\n\nabc")
        let events = try framer.receive(
            Array("noise\r\n".utf8) + Self.message("one") + unreadable + Self.message("two")
        )
        #expect(Self.bodies(events) == ["one", "two"])
        #expect(events.contains(.unreadable(.missing(.callID))))
        #expect(framer.statistics.skippedBytes == 7)
    }

    @Test("random bytes neither trap nor grow it")
    func survivesNoise() {
        var generator = SeededGenerator(state: 3)
        for _ in 0..<200 {
            var framer = SIPStreamFramer()
            for _ in 0..<100 {
                let bytes = (0..<300).map { _ in UInt8.random(in: 0...255, using: &generator) }
                guard (try? framer.receive(bytes)) != nil else { break }
                #expect(framer.bufferedBytes <= 17_000)
            }
        }
    }
}
