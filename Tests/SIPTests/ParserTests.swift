import NIOCore
import SIP
import Testing
import Wire

@Suite("SIP messages as cameras write them (2.1)")
struct ParserTests {
    private func request(_ text: String) throws -> SIPRequest {
        guard case .request(let request) = try SIPMessage.parse(crlf(text)) else {
            throw SIPParseError.badStartLine
        }
        return request
    }

    private static let register = """
        REGISTER sip:34020000002000000001@3402000000 SIP/2.0
        Via: SIP/2.0/UDP 192.168.1.64:5060;rport;branch=z9hG4bK1878543
        From: <sip:34020000001320000001@3402000000>;tag=7701
        To: <sip:34020000001320000001@3402000000>
        Call-ID: 9021b7@192.168.1.64
        CSeq: 1 REGISTER
        Contact: <sip:34020000001320000001@192.168.1.64:5060>
        Expires: 3600
        X-GB-Ver: 3.0
        Content-Length: 0


        """

    @Test("reads a registration")
    func readsRegistration() throws {
        let message = try request(Self.register)
        #expect(message.method == .register)
        #expect(message.headers.from?.uri.user == "34020000001320000001")
        #expect(message.headers.from?.tag == "7701")
        #expect(message.headers.to?.tag == nil)
        #expect(message.headers.cseq == SIPSequence(1, .register))
        #expect(message.headers.expires == 3600)
        #expect(message.headers[.xGBVer] == "3.0")
        #expect(message.headers.contact?.uri.port == 5060)
        #expect(message.headers.topVia?.branch == "z9hG4bK1878543")
    }

    @Test("what it writes it reads back")
    func roundTrips() throws {
        let message = SIPMessage.request(try request(Self.register))
        #expect(try SIPMessage.parse(message.encoded()) == message)
    }

    @Test("compact forms, any case, Via last, LF alone, line ends in front")
    func readsOddForms() throws {
        let text = """


            MESSAGE sip:1@2 SIP/2.0
            i: abc
            CSEQ: 20   MESSAGE
            f: sip:34020000001320000001@3402000000;tag=9
            t: sip:34020000002000000001@3402000000
            c: Application/MANSCDP+xml ; charset=x
            l:   5
            v: SIP/2.0/UDP 10.0.0.5:5060;branch=z3hG9bKx, SIP/2.0/UDP 10.0.0.6;branch=y

            hellosurplus
            """
        guard case .request(let message) = try SIPMessage.parse(Array(text.utf8)) else {
            Issue.record("no request")
            return
        }
        #expect(message.headers.callID == "abc")
        #expect(message.headers.cseq == SIPSequence(20, .message))
        #expect(message.headers.from?.tag == "9")
        #expect(message.headers.from?.uri.host == "3402000000")
        #expect(message.headers.all(.via).count == 2)
        #expect(message.headers.topVia?.branch == "z3hG9bKx")
        #expect(message.headers.hasContentType("application/manscdp+xml"))
        #expect(message.body == Array("hello".utf8))
    }

    @Test("Content-Length missing, too large or nonsense: the rest of the datagram is the body")
    func takesWhatIsThere() throws {
        for line in ["", "Content-Length: 900\n", "Content-Length: -4\n", "Content-Length: x\n"] {
            let text = "MESSAGE sip:1@2 SIP/2.0\nFrom: <sip:a@b>\nTo: <sip:c@d>\nCall-ID: x\nCSeq: 1 MESSAGE\n\(line)\n"
            #expect(try request(text + "body").body == Array("body".utf8))
        }
    }

    @Test("folded lines are joined, lines without a colon are skipped")
    func joinsFoldedLines() throws {
        let message = try request(
            "OPTIONS sip:1@2 SIP/2.0\nSubject: a\n\tb\n  c\nnonsense\nFrom: <sip:a@b>\nTo: <sip:c@d>\nCall-ID: x\nCSeq: 1 OPTIONS\n\n"
        )
        #expect(message.headers[.subject] == "a b c")
        #expect(message.headers.callID == "x")
    }

    @Test("odd status lines are answers")
    func readsOddStatusLines() throws {
        for (line, status) in [
            ("SIP/2.0 101 Dialog Establishement", 101), ("SIP/2.0 400 Bad", 400), ("SIP/2.0 200", 200),
            ("sip/2.0 200  OK", 200),
        ] {
            guard case .response(let response) = try SIPMessage.parse(crlf("\(line)\nCall-ID: x\nCSeq: 1 INVITE\n\n"))
            else {
                Issue.record("\(line) is no response")
                continue
            }
            #expect(response.status == status)
            #expect(response.isProvisional == (status < 200))
        }
    }

    @Test(
        "keep-alives are told apart",
        arguments: [[], [0], [13, 10], [13, 10, 13, 10], [0x6A, 0x61, 0x4B, 0]] as [[UInt8]]
    )
    func recognisesKeepAlives(_ bytes: [UInt8]) {
        #expect(throws: SIPParseError.keepAlive) { try SIPMessage.parse(bytes) }
    }

    @Test("Contact: none, star, private address, instance, several")
    func readsContacts() throws {
        func contact(_ value: String) throws -> SIPAddress? {
            try request(Self.register.replacing("<sip:34020000001320000001@192.168.1.64:5060>", with: value)).headers
                .contact
        }
        #expect(try contact("*") == nil)
        #expect(try contact("") == nil)
        #expect(
            try contact("\"a,b<\" <sip:u@10.0.0.1;transport=tcp>;expires=60;+sip.instance=\"<x>\", <sip:z@y>")?.uri.user
                == "u"
        )
        #expect(try contact("<sip:u@[2001:db8::1]:5070>")?.uri.host == "2001:db8::1")
        #expect(try contact("<sip:u@[2001:db8::1]:5070>")?.uri.port == 5070)
        #expect(try contact("<sip:u@h:99999>")?.uri.port == nil)
        #expect(try contact("<sip:u:secret@h>")?.headerValue.contains("secret") == false)
    }

    @Test("Expires of the Contact serves where the header is missing")
    func readsContactExpires() throws {
        let text = Self.register.replacing("Expires: 3600\n", with: "").replacing(
            "5060>\nX",
            with: "5060>;expires=77\nX"
        )
        #expect(try request(text).headers.expires == 77)
    }

    @Test("refuses what cannot be answered")
    func refusesTheRest() {
        let cases: [(String, SIPParseError)] = [
            ("hello", .badStartLine),
            ("GET / HTTP/1.1\nHost: x\n\n", .badStartLine),
            ("SIP/2.0 99 Low\nCall-ID: x\nCSeq: 1 INVITE\n\n", .badStartLine),
            ("SIP/2.0 x OK\n\n", .badStartLine),
            ("MESSAGE sip:1@2 SIP/2.0\nCSeq: 1 MESSAGE\nFrom: a\nTo: b\n\n", .missing(.callID)),
            ("MESSAGE sip:1@2 SIP/2.0\nCall-ID: x\nCSeq: 1 MESSAGE\nTo: b\n\n", .missing(.from)),
            ("MESSAGE sip:1@2 SIP/2.0\nCall-ID: x\nCSeq: 99999999999 MESSAGE\nFrom: a\nTo: b\n\n", .malformed(.cseq)),
            ("MESSAGE sip:1@2 SIP/2.0\nX: \(String(repeating: "a", count: 17_000))\n\n", .headerTooLong(limit: 16_384)),
            (
                "MESSAGE sip:1@2 SIP/2.0\n" + String(repeating: "A: b\n", count: 200) + "\n",
                .tooManyHeaders(limit: 128)
            ),
        ]
        for (text, error) in cases {
            #expect(throws: error) { try SIPMessage.parse(crlf(text)) }
        }
    }

    @Test("no prefix and no flipped byte of a message traps")
    func survivesDamage() {
        let bytes = crlf(Self.register)
        var readable = 0
        for end in bytes.indices where (try? SIPMessage.parse(Array(bytes[..<end]))) != nil { readable += 1 }
        var generator = SeededGenerator(state: 1)
        for _ in 0..<5000 {
            var damaged = bytes
            for _ in 0..<3 {
                damaged[Int.random(in: damaged.indices, using: &generator)] = UInt8.random(
                    in: 0...255,
                    using: &generator
                )
            }
            guard let message = try? SIPMessage.parse(damaged) else { continue }
            readable += 1
            _ = message.headers.contact
            _ = message.headers.topVia
            _ = message.headers.expires
            _ = message.encoded()
        }
        #expect(readable > 0)
    }

    @Test("a line end inside a value cannot add a header field")
    func cannotBeInjectedInto() throws {
        var message = makeRequest(.message)
        message.headers.append(.subject, "a\r\nX-Evil: 1")
        guard case .request(let again) = try SIPMessage.parse(message.encoded()) else { return }
        #expect(again.headers.first("X-Evil") == nil)
    }

    @Test("an answer copies Via, From, To, Call-ID and CSeq and says where the request came from")
    func answersFitTheirRequests() throws {
        let message = try request(Self.register)
        let response = SIPResponse(to: message, from: .udp, status: 200, tag: "p1")
        #expect(response.headers.topVia?.parameters["received"] == "192.0.2.64")
        #expect(response.headers.topVia?.parameters["rport"] == "5060")
        #expect(response.headers.topVia?.branch == "z9hG4bK1878543")
        #expect(response.headers[.to] == "<sip:34020000001320000001@3402000000>;tag=p1")
        #expect(response.headers[.from] == message.headers[.from])
        #expect(response.headers.callID == message.headers.callID)
        #expect(String(decoding: response.encoded(), as: UTF8.self).hasSuffix("Content-Length: 0\r\n\r\n"))
    }
}
