import GB28181
import Testing
import Wire

struct MediaNegotiationTests {
    private let channel = "34020000001310000001"
    private let platform = "34020000002000000001"

    private func offer(_ transport: MediaTransport) -> MediaOffer {
        MediaOffer(
            channelID: channel,
            platformID: platform,
            host: "192.168.1.10",
            port: 30000,
            transport: transport,
            ssrc: SSRC(value: 200_000_001)
        )
    }

    @Test func offersLivePlayOverUDP() {
        #expect(
            String(decoding: offer(.udp).body, as: UTF8.self)
                == [
                    "v=0", "o=34020000001310000001 0 0 IN IP4 192.168.1.10", "s=Play", "c=IN IP4 192.168.1.10", "t=0 0",
                    "m=video 30000 RTP/AVP 96 97 98 99", "a=recvonly", "a=rtpmap:96 PS/90000",
                    "a=rtpmap:97 MPEG4/90000",
                    "a=rtpmap:98 H264/90000", "a=rtpmap:99 H265/90000", "y=0200000001", "f=", "",
                ].joined(separator: "\r\n")
        )
        #expect(offer(.udp).subject.text == "34020000001310000001:0200000001,34020000002000000001:0")
    }

    @Test func offersTCPBothWays() {
        let passive = String(decoding: offer(.tcpPassive).body, as: UTF8.self)
        #expect(passive.contains("m=video 30000 TCP/RTP/AVP 96 97 98 99\r\n"))
        #expect(passive.contains("a=setup:passive\r\na=connection:new\r\n"))
        #expect(String(decoding: offer(.tcpActive).body, as: UTF8.self).contains("a=setup:active\r\n"))
    }

    @Test("R-44: each offer ends with CRLF", arguments: [MediaTransport.udp, .tcpPassive, .tcpActive])
    func endsWithCRLF(transport: MediaTransport) {
        #expect(offer(transport).body.suffix(2) == [0x0D, 0x0A])
    }

    @Test func fallsBackToPSAlone() {
        var offer = offer(.udp)
        offer.onlyPS = true
        let text = String(decoding: offer.body, as: UTF8.self)
        #expect(text.contains("m=video 30000 RTP/AVP 96\r\n"))
        #expect(!text.contains("H264"))
    }

    @Test func offersADownload() {
        var offer = offer(.udp)
        offer.purpose = .download(start: 1_714_804_996, end: 1_714_806_986, speed: 4)
        let text = String(decoding: offer.body, as: UTF8.self)
        #expect(text.contains("s=Download\r\nu=34020000001310000001:0\r\n"))
        #expect(text.contains("t=1714804996 1714806986\r\n"))
        #expect(text.contains("a=downloadspeed:4\r\n"))
    }

    /// An IPC's 200 as captured: username and password in it, y= of zeros.
    private let cameraAnswer = """
        v=0
        o=34010000001310000001 0 0 IN IP4 192.168.230.100
        s=Embedded IPC
        c=IN IP4 192.168.230.100
        t=0 0
        m=video 56147 RTP/AVP 96
        a=sendonly
        a=rtpmap:96 PS/90000
        a=username:34010000001310000001
        a=password:12345678
        y=0000000000
        f=
        """

    @Test func readsAnAnswerWithLFAndWithoutSSRC() throws {
        let answer = try MediaAnswer.parse(Array(cameraAnswer.utf8))
        #expect(answer.host == "192.168.230.100")
        #expect(answer.port == 56147)
        #expect(!answer.isTCP)
        #expect(answer.ssrc == nil)
        #expect(answer.payloadTypes == [96])
        #expect(answer.rtpMaps.first?.encoding == "PS")
    }

    @Test func readsATCPAnswerOfADownload() throws {
        let body =
            "v=0\r\nm=video 9 TCP/RTP/AVP 96\r\nc=IN IP4 10.0.0.9\r\na=setup:active\r\na=filesize:1048576\r\ny=0060205514\r\n"
        let answer = try MediaAnswer.parse(Array(body.utf8))
        #expect(
            answer
                == MediaAnswer(
                    host: "10.0.0.9",
                    port: 9,
                    isTCP: true,
                    setup: .active,
                    ssrc: SSRC(value: 60_205_514),
                    fileSize: 1_048_576
                )
        )
    }

    @Test(arguments: ["DAHUA", "HIKVISION", "dahua"])
    func refusesPrivateFormats(name: String) {
        let body = "v=0\nm=video 9000 RTP/AVP 96\na=rtpmap:96 \(name)/90000\n"
        #expect(throws: MediaAnswerError.privateFormat(name)) { try MediaAnswer.parse(Array(body.utf8)) }
    }

    @Test func seesThatPortZeroRefuses() {
        #expect(throws: MediaAnswerError.refused) { try MediaAnswer.parse(Array("m=video 0 RTP/AVP 96".utf8)) }
        #expect((try? MediaAnswer.parse(Array("m=video 0 TCP/RTP/AVP 96\na=setup:active".utf8)))?.port == 0)
        #expect(throws: MediaAnswerError.refused) {
            try MediaAnswer.parse(Array("m=video 0 TCP/RTP/AVP 96\na=setup:passive".utf8))
        }
        #expect(throws: MediaAnswerError.sdp(.noMedia)) { try MediaAnswer.parse([]) }
    }

    @Test func keepsTheLeadingZeroOfAnSSRC() {
        #expect(SSRC("0200000001")?.value == 0x0BEB_C201)
        #expect(SSRC("0200000001")?.text == "0200000001")
        #expect(SSRC("1200009999")?.value == 1_200_009_999)
        #expect(SSRC(" 0100 ")?.text == "0000000100")
        #expect(SSRC("") == nil)
        #expect(SSRC("9999999999") == nil)
        #expect(SSRC("-1") == nil)
    }

    @Test func makesSSRCsOfThePlatformsDigits() {
        var allocator = SSRCAllocator(platformID: platform)
        #expect(allocator.allocate()?.text == "0200000001")
        #expect(allocator.allocate(.history)?.text == "1200000002")
        var odd = SSRCAllocator(platformID: "ab")
        #expect(odd.allocate()?.text == "0000000001")
    }

    @Test func givesEachSessionItsOwnSSRCUntilNoneIsLeft() {
        var allocator = SSRCAllocator(platformID: platform, firstSerial: 9_999)
        var seen = Set<UInt32>()
        var last: SSRC?
        for _ in 0..<SSRCAllocator.capacity {
            last = allocator.allocate()
            if let last { seen.insert(last.value) }
        }
        #expect(seen.count == SSRCAllocator.capacity)
        #expect(allocator.allocate() == nil)
        allocator.release(SSRC(value: 5))
        #expect(allocator.allocate() == nil)
        if let last { allocator.release(last) }
        #expect(allocator.allocate() == last)
    }

    @Test func readsSubjectsOfTheField() {
        let captured = SubjectHeader("34010000001310000001:0-4-0,34010000002000000001:1")
        #expect(captured?.senderSequence == "0-4-0")
        #expect(captured?.receiverID == "34010000002000000001")
        #expect(SubjectHeader("a , b")?.senderSequence == "0")
        #expect(SubjectHeader("nothing") == nil)
        #expect(SubjectHeader("") == nil)
    }
}
