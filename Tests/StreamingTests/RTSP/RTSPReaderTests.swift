import NIOCore
import Testing

@testable import Streaming

@Suite("RTSP messages and frames")
struct RTSPReaderTests {
    private static func frame(_ channel: UInt8, _ payload: [UInt8]) -> ByteBuffer {
        ByteBuffer(bytes: [0x24, channel, UInt8(payload.count >> 8), UInt8(payload.count & 255)] + payload)
    }

    private static func joined(_ parts: ByteBuffer...) -> ByteBuffer {
        var all = ByteBuffer()
        for part in parts { all.writeImmutableBuffer(part) }
        return all
    }

    private static func requests(_ text: String) throws -> [RTSPRequest] {
        try RTSPReader.all(.server, [ByteBuffer(string: text)]).compactMap {
            if case .request(let request) = $0 { request } else { nil }
        }
    }

    @Test("5: frames and requests alternate on one connection, at any byte boundary")
    func everySplit() throws {
        let stream = Self.joined(
            ByteBuffer(string: "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
            Self.frame(0, [1, 2, 3]),
            Self.frame(1, []),
            ByteBuffer(string: "\r\nSET_PARAMETER rtsp://h/a RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 3\r\n\r\n$\0\r"),
            Self.frame(255, Array(repeating: 0x24, count: 300)),
            ByteBuffer(string: "RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n")
        )
        let whole = try RTSPReader.all(.server, [stream])
        #expect(whole.count == 6)
        #expect(whole[1] == .frame(channel: 0, ByteBuffer(bytes: [1, 2, 3])))
        #expect(whole[2] == .frame(channel: 1, ByteBuffer()))
        guard case .request(let request) = whole[3] else { return #expect(Bool(false)) }
        #expect(request.method == .setParameter)
        #expect(String(buffer: request.body) == "$\0\r")
        for side in [RTSPReader.Side.server, .client] {
            #expect(try RTSPReader.all(side, stream.singleBytes) == whole)
            for (first, second) in stream.splits { #expect(try RTSPReader.all(side, [first, second]) == whole) }
        }
    }

    @Test("a frame that is read whole is not copied")
    func slices() throws {
        var bytes = Self.joined(Self.frame(0, Array(repeating: 7, count: 1400)), Self.frame(2, [1]))
        let storage = bytes.withUnsafeReadableBytes { $0.baseAddress }
        var reader = RTSPReader(.server)
        guard case .frame(_, let payload)? = try reader.next(from: &bytes) else { return #expect(Bool(false)) }
        #expect(payload.withUnsafeReadableBytes { $0.baseAddress } == storage?.advanced(by: 4))
    }

    @Test("6: names have no case and come in the one that clients know; repeated ones keep all values")
    func headers() throws {
        let request = try #require(
            try Self.requests(
                "DESCRIBE rtsp://h/a RTSP/1.0\r\ncseq: 5\r\nRTP-INFO: x\r\nwww-authenticate: a\r\nWWW-Authenticate:b\r\n"
                    + "content-type :  text/plain \r\n\r\n"
            ).first
        )
        #expect(
            request.headers.fields.map(\.name)
                == ["CSeq", "RTP-Info", "WWW-Authenticate", "WWW-Authenticate", "Content-Type"]
        )
        #expect(request.headers.all("WWW-AUTHENTICATE") == ["a", "b"])
        #expect(request.headers["content-TYPE"] == "text/plain")
        #expect(request.cseq == "5")
    }

    @Test("6: a folded value goes on")
    func folds() throws {
        let request = try Self.requests("OPTIONS * RTSP/1.0\r\nRequire: a,\r\n  b\r\nCSeq: 1\r\n\r\n").first
        #expect(request?.headers["Require"] == "a, b")
        #expect(request?.cseq == "1")
    }

    @Test("7: what is longer than its limit is a fault, and at its limit it is none")
    func limits() throws {
        func fault(_ text: String) -> RTSPFault? {
            do throws(RTSPFault) {
                _ = try RTSPReader.all(.server, [ByteBuffer(string: text)])
                return nil
            } catch {
                return error
            }
        }
        func letters(_ count: Int) -> String { String(repeating: "a", count: count) }
        let head = "OPTIONS * RTSP/1.0\r\n"
        #expect(fault("\(letters(64)) * RTSP/1.0\r\n") == nil)
        #expect(fault("\(letters(65)) * RTSP/1.0\r\n") == .methodTooLong)
        #expect(fault("OPTIONS \(letters(2048)) RTSP/1.0\r\n") == nil)
        #expect(fault("OPTIONS \(letters(2049)) RTSP/1.0\r\n") == .urlTooLong)
        #expect(fault("OPTIONS \(letters(9000))") == .urlTooLong)
        #expect(fault(head + "\(letters(512)): \(letters(2048))\r\n") == nil)
        #expect(fault(head + "\(letters(513)): b\r\n") == .headerTooLong)
        #expect(fault(head + "b: \(letters(2049))\r\n") == .headerTooLong)
        #expect(fault(head + "b: \(letters(2800))") == .headerTooLong)
        #expect(fault(head + String(repeating: "b: c\r\n", count: 255)) == nil)
        #expect(fault(head + String(repeating: "b: c\r\n", count: 256)) == .tooManyHeaders)
        #expect(fault(head + String(repeating: "b: \(letters(2000))\r\n", count: 40)) == .headerTooLong)
        #expect(fault(head + "Content-Length: 131072\r\n\r\n") == nil)
        #expect(fault(head + "Content-Length: 131073\r\n\r\n") == .bodyTooLong)
        #expect(fault(head + "Content-Length: 99999999999999999999\r\n\r\n") == .bodyTooLong)
        #expect(fault(head + "Content-Length: -1\r\n\r\n") == .badContentLength)
        #expect(fault(head + "Content-Length: +1\r\n\r\n") == .badContentLength)
        #expect(fault(head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n") == .badContentLength)
    }

    @Test(
        "what is no request is a fault",
        arguments: [
            ("\u{16}\u{3}\u{1}", RTSPFault.badStartLine), ("OPTIONS\r\n", .badStartLine),
            ("OPTIONS * FTP/1.0\r\n", .badStartLine), ("GET / HTTP/1.1\r\n", .http),
            ("OPTIONS * RTSP/2.0\r\n", .version("RTSP/2.0")), ("RTSP/1.0 20\r\n", .badStartLine),
            ("RTSP/1.0 abc OK\r\n", .badStartLine),
        ]
    )
    func noRequest(text: String, fault: RTSPFault) {
        #expect(throws: fault) { try RTSPReader.all(.server, [ByteBuffer(string: text)]) }
        #expect(!fault.explanation.isEmpty)
    }

    @Test("8: LF alone, empty lines in between, no reason phrase, blanks in CSeq")
    func tolerates() throws {
        let events = try RTSPReader.all(
            .client,
            [ByteBuffer(string: "\r\n\n\nRTSP/1.0 200\nCSeq:   12  \n\nRTSP/1.0 404 \r\nCSeq: 13\r\n\r\n")]
        )
        guard events.count == 2, case .response(let first) = events[0], case .response(let second) = events[1] else {
            return #expect(Bool(false))
        }
        #expect(first.status == RTSPStatus(code: 200, reason: ""))
        #expect(first.headers["CSeq"] == "12")
        #expect(second.status.code == 404)
    }

    @Test("9: a client finds the next message or frame behind junk, however it is cut")
    func resynchronises() throws {
        let stream = Self.joined(
            Self.frame(0, [1]),
            ByteBuffer(bytes: [0x80, 0x60, 0x24, 0x99, 0x00, 0x10, 0x52, 0x54, 0x53, 0x58]),
            ByteBuffer(string: "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"),
            ByteBuffer(bytes: [0x01, 0x4F]),
            ByteBuffer(string: "OPTIONS rtsp://h/a RTSP/1.0\r\nCSeq: 2\r\n\r\n"),
            ByteBuffer(bytes: [0xFF]),
            Self.frame(1, [2, 3])
        )
        func read(_ parts: [ByteBuffer]) throws -> ([RTSPEvent], UInt64) {
            var reader = RTSPReader(.client)
            reader.highestChannel = 1
            var events: [RTSPEvent] = []
            for part in parts {
                var part = part
                while let event = try reader.next(from: &part) { events.append(event) }
            }
            return (events, reader.statistics.junkBytes)
        }
        let (events, junk) = try read([stream])
        #expect(events.count == 4)
        #expect(events.last == .frame(channel: 1, ByteBuffer(bytes: [2, 3])))
        #expect(junk == 13)
        let slow = try read(stream.singleBytes)
        #expect(slow.0 == events)
        #expect(slow.1 == junk)
        for (first, second) in stream.splits { #expect(try read([first, second]).0 == events) }
    }

    @Test("9: junk without end is a fault")
    func endlessJunk() {
        let junk = ByteBuffer(repeating: 0xAA, count: RTSPReader.maximumJunk + 1)
        #expect(throws: RTSPFault.junk(RTSPReader.maximumJunk + 1)) { try RTSPReader.all(.client, [junk]) }
    }

    @Test("what a peer wrote cannot begin a line of an answer")
    func noInjection() {
        var bytes = ByteBuffer()
        RTSPResponse(.ok, headers: ["CSeq": "1\rX: y\u{0}"]).write(into: &bytes)
        #expect(String(buffer: bytes) == "RTSP/1.0 200 OK\r\nCSeq: 1 X: y \r\n\r\n")
    }

    @Test("random bytes and damaged messages neither trap nor hold memory")
    func hostile() {
        var random = SplitMix64(state: 11)
        let seed = Array(
            "SETUP rtsp://h/a/trackID=0 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP;client_port=1-2\r\nContent-Length: 4\r\n\r\nabcd"
                .utf8
        )
        for round in 0..<300 {
            var bytes = round % 2 == 0 ? seed + seed : random.bytes(200)
            for _ in 0..<3 {
                let position = Int(random.next() % UInt64(bytes.count))
                bytes[position] = UInt8(truncatingIfNeeded: random.next())
            }
            for side in [RTSPReader.Side.server, .client] {
                let whole = Result { () throws(RTSPFault) in try RTSPReader.all(side, [ByteBuffer(bytes: bytes)]) }
                let slow = Result { () throws(RTSPFault) in
                    try RTSPReader.all(side, ByteBuffer(bytes: bytes).singleBytes)
                }
                #expect((try? whole.get()) == (try? slow.get()))
            }
        }
    }
}
