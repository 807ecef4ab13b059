import Testing
import Wire

struct SDPTests {
    private let offer = [
        "v=0", "o=34020000001310000001 0 0 IN IP4 192.168.1.10", "s=Play", "c=IN IP4 192.168.1.10", "t=0 0",
        "m=video 30000 TCP/RTP/AVP 96 97 98", "a=recvonly", "a=setup:passive", "a=rtpmap:96 PS/90000",
        "a=rtpmap:98 H264/90000", "y=0200000001", "f=v/2/5/25/1/4096a///", "",
    ].joined(separator: "\r\n")

    @Test func readsAnOfferOfGB28181() throws {
        let description = try SessionDescription.parse(Array(offer.utf8))
        #expect(description.origin.user == "34020000001310000001")
        #expect(description.name == "Play")
        #expect(description.connection?.host == "192.168.1.10")
        #expect(description.times == [.init(start: 0, end: 0)])
        let media = try #require(description.media.first)
        #expect(media.port == 30000)
        #expect(media.transport == "TCP/RTP/AVP")
        #expect(media.formats == ["96", "97", "98"])
        #expect(media.attribute("setup") == "passive")
        #expect(media.attribute("recvonly") == "")
        #expect(media.attribute("sendonly") == nil)
        #expect(media.encoding(ofPayloadType: 96)?.encoding == "PS")
        #expect(description.other("y") == "0200000001")
        #expect(description.other("f") == "v/2/5/25/1/4096a///")
    }

    @Test func writesWhatItReadByteForByte() throws {
        #expect(try SessionDescription.parse(Array(offer.utf8)).serialized() == Array(offer.utf8))
    }

    @Test(arguments: ["\n", "\r", "\r\n\r\n", " \r\n", "\r\n  "])
    func readsOtherLineEndings(ending: String) throws {
        let expected = try SessionDescription.parse(Array(offer.utf8))
        let lines = offer.split(separator: "\r\n").joined(separator: ending)
        #expect(try SessionDescription.parse(Array(lines.utf8)) == expected)
    }

    @Test func readsADescriptionOfRTSPWithTwoMedia() throws {
        let body = """
            v=0
            o=- 1 1 IN IP6 ::1
            s=
            a=control:*
            a=range:npt=0-
            m=video 0 RTP/AVP 96
            b=AS:4096
            a=rtpmap:96 H264/90000
            a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAKeKQFAe2AtwEBAaQeJEV,aM48gA==
            a=control:trackID=0
            m=audio 0/2 RTP/AVP 97
            c=IN IP4 239.0.0.1/127
            a=rtpmap:97 MPEG4-GENERIC/44100/2
            """
        let description = try SessionDescription.parse(Array(body.utf8))
        #expect(description.attribute("control") == "*")
        #expect(description.media.count == 2)
        #expect(description.media[0].bandwidth == ["AS:4096"])
        #expect(description.media[0].attribute("fmtp")?.hasSuffix("aM48gA==") == true)
        #expect(description.media[1].connection?.host == "239.0.0.1")
        #expect(description.media[1].encoding(ofPayloadType: 97)?.channels == 2)
        #expect(
            try SessionDescription.parse(description.serialized()) == SessionDescription.parse(description.serialized())
        )
        #expect(String(decoding: description.serialized(), as: UTF8.self).contains("o=- 1 1 IN IP6 ::1\r\n"))
    }

    @Test func readsLinesOutOfOrderAndWithoutTheUsualOnes() throws {
        let body =
            "y=0100000001\nm=video 6000 RTP/AVP 96\nc=IN IP4 10.0.0.1\na=rtpmap: 96 PS/90000\no=  0 0 IN IP4 10.0.0.2\n"
        let description = try SessionDescription.parse(Array(body.utf8))
        #expect(description.other("y") == "0100000001")
        #expect(description.media[0].connection?.host == "10.0.0.1")
        #expect(description.origin.host == "10.0.0.2")
        #expect(description.media[0].encoding(ofPayloadType: 96)?.encoding == "PS")
        #expect(description.times.isEmpty)
    }

    @Test(arguments: ["", "v=0\r\n", "m=video x RTP/AVP 96", "m=video 70000 RTP/AVP 96", "m=", "garbage\0"])
    func refusesABodyWithoutMedia(body: String) {
        #expect(throws: SDPError.noMedia) { try SessionDescription.parse(Array(body.utf8)) }
    }

    @Test func boundsWhatItReads() throws {
        let size = SessionDescription.sizeLimit + 1
        #expect(throws: SDPError.tooLarge(bytes: size)) {
            try SessionDescription.parse([UInt8](repeating: 0x61, count: size))
        }
        let media = String(repeating: "m=audio 1 RTP/AVP 8\n", count: 500)
        #expect(try SessionDescription.parse(Array(media.utf8)).media.count == 32)
        let lines = "m=audio 1 RTP/AVP 8\n" + String(repeating: "a=x\n", count: 5000)
        #expect(try SessionDescription.parse(Array(lines.utf8)).media[0].attributes.count == 1023)
    }

    @Test func survivesTruncationAtEveryByteAndAnyByte() {
        let bytes = Array(offer.utf8)
        var read = 0
        for end in bytes.indices where (try? SessionDescription.parse(Array(bytes[..<end]))) != nil { read += 1 }
        for index in bytes.indices {
            for byte in [0, 0x0A, 0x3D, 0x80, 0xFF] as [UInt8] {
                var changed = bytes
                changed[index] = byte
                if (try? SessionDescription.parse(changed)) != nil { read += 1 }
            }
        }
        #expect(read > bytes.count)
    }

    @Test func letsNoValueSmuggleInALine() {
        var description = SessionDescription(media: [.init(kind: "video", port: 1, formats: ["96"])])
        description.name = "x\r\na=evil"
        #expect(!String(decoding: description.serialized(), as: UTF8.self).contains("\na=evil"))
    }
}
