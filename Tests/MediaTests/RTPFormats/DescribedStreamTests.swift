import Testing
import Wire

@testable import Media

private func described(_ sdp: String, ending: String = "\r\n") throws -> DescribedStream {
    let lines = sdp.split(separator: "\n", omittingEmptySubsequences: false)
    return try DescribedStream(sdp: Array(lines.joined(separator: ending).utf8))
}

@Suite struct DescribedStreamTests {
    @Test("82: what devices write is read", arguments: SDPFixtures.all)
    func readsDevices(device: SDPFixtures.Device) throws {
        let stream = try described(device.sdp)
        #expect(stream.description.media.map { "\($0.kind) \($0.formats[0].encoding)" } == device.medias)
        #expect(stream.controls == device.controls)
        #expect(stream.sessionControl == device.sessionControl)
        #expect(!stream.description.name.isEmpty)
    }

    @Test("82: line ends do not matter", arguments: ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", " \r\n", "\r\n "])
    func readsOtherLineEnds(ending: String) throws {
        for device in SDPFixtures.all {
            #expect(try described(device.sdp, ending: ending) == described(device.sdp), "\(device)")
        }
    }

    @Test("82, 88: what is passed on keeps its rtpmap, fmtp and further attributes", arguments: SDPFixtures.all)
    func passesOn(device: SDPFixtures.Device) throws {
        let stream = try described(device.sdp).description
        let text = stream.sessionDescription(includesBackChannel: true).serialized()
        let again = try DescribedStream(sdp: text)
        #expect(again.description == stream)
        #expect(again.sessionControl == "*")
        #expect(again.controls == stream.media.indices.map { "trackID=\($0)" })
        let lines = Set(String(decoding: text, as: UTF8.self).split(separator: "\r\n").map(String.init))
        for line in device.sdp.split(separator: "\n").map(String.init) where line.hasPrefix("a=fmtp:9") {
            // But for the payload type that a Hikvision recorder gets wrong.
            guard !device.name.contains("another payload type") || line.hasPrefix("a=fmtp:96") else { continue }
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test(
        "60: no SDP is an error",
        arguments: ["", "\r\n\r\n", "v=0\r\ns=x\r\n", "<html></html>", "m=", "m=video 0", "\0\0"]
    )
    func refusesWhatIsNoSDP(body: String) {
        #expect(throws: SDPError.noMedia) { try DescribedStream(sdp: Array(body.utf8)) }
    }

    @Test("60: a media without a payload type is none")
    func refusesMediasWithoutPayloadType() throws {
        #expect(throws: SDPError.noMedia) { try described("v=0\nm=application 9 TCP/DTLS/SCTP webrtc-datachannel") }
        let stream = try described("m=application 9 TCP x\na=control:a\nm=video 0 RTP/AVP 96\na=control:b")
        #expect(stream.controls == ["b"])
    }

    @Test("60: a body beyond the limit is refused")
    func refusesLargeBodies() {
        let body = [UInt8](repeating: UInt8(ascii: "a"), count: SessionDescription.sizeLimit + 1)
        #expect(throws: SDPError.tooLarge(bytes: body.count)) { try DescribedStream(sdp: body) }
    }

    @Test("76: a back channel is told apart, unless it is all there is")
    func findsBackChannels() throws {
        let dahua = try described(SDPFixtures.all[2].sdp).description
        #expect(dahua.media.map(\.isBackChannel) == [false, false, true])
        let hidden = dahua.sessionDescription()
        #expect(hidden.media.map { $0.attribute("control") } == ["trackID=0", "trackID=1"])
        let shown = dahua.sessionDescription(includesBackChannel: true)
        #expect(shown.media.map { $0.attribute("sendonly") } == [nil, nil, ""])
        let camera = try described("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=sendonly")
        #expect(camera.description.media.map(\.isBackChannel) == [false])
    }

    @Test("87: static payload types need no map")
    func knowsStaticTypes() throws {
        let names = try described("m=audio 0 RTP/AVP 0 3 4 5 8 9 10 11 14\nm=video 0 RTP/AVP 26 31 32 33 34 77")
            .description.media.map { $0.formats.map(\.encoding) }
        #expect(names[0] == ["PCMU", "GSM", "G723", "DVI4", "PCMA", "G722", "L16", "L16", "MPA"])
        #expect(names[1] == ["JPEG", "H261", "MPV", "MP2T", "H263", ""])
    }

    @Test("13, 14: our own description")
    func writesItsOwn() throws {
        let video = RTPFormat(payloadType: 96, encoding: "H264", clockRate: 90_000, fmtp: "packetization-mode=1")
        let audio = RTPFormat(
            payloadType: 97,
            encoding: "MPEG4-GENERIC",
            clockRate: 48_000,
            channels: 2,
            fmtp: "mode=AAC-hbr"
        )
        let stream = StreamDescription(media: [
            RTPMedia(kind: "video", formats: [video], bandwidth: ["AS:500"], attributes: [.init("framerate", "25")]),
            RTPMedia(kind: "audio", formats: [audio]),
        ])
        let text = String(
            decoding: stream.sessionDescription(origin: .init(host: "10.0.0.1")).serialized(),
            as: UTF8.self
        )
        #expect(
            text
                == [
                    "v=0", "o=- 0 0 IN IP4 10.0.0.1", "s= ", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*",
                    "m=video 0 RTP/AVP 96", "b=AS:500", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1",
                    "a=framerate:25", "a=control:trackID=0",
                    "m=audio 0 RTP/AVP 97", "a=rtpmap:97 MPEG4-GENERIC/48000/2", "a=fmtp:97 mode=AAC-hbr",
                    "a=control:trackID=1", "",
                ].joined(separator: "\r\n")
        )
    }

    @Test("17: a multicast group stands in the connection")
    func writesMulticast() throws {
        let stream = try described(SDPFixtures.all[0].sdp).description
        let text = String(decoding: stream.sessionDescription(multicast: "224.1.0.1/127").serialized(), as: UTF8.self)
        #expect(text.contains("\r\nc=IN IP4 224.1.0.1/127\r\n"))
        #expect(!text.contains("0.0.0.0\r\nt="))
    }

    @Test("60: cut at any byte it is read or refused")
    func survivesCuts() {
        for device in SDPFixtures.all {
            let bytes = Array(device.sdp.utf8)
            for count in 0..<bytes.count { _ = try? DescribedStream(sdp: Array(bytes.prefix(count))) }
        }
    }
}
