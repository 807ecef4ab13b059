import Testing
import Wire

@testable import Media

private func video(_ encoding: String, _ fmtp: String?) -> RTPFormat {
    RTPFormat(payloadType: 96, encoding: encoding, clockRate: 90_000, fmtp: fmtp)
}

private func audio(_ encoding: String, _ rate: Int, _ channels: Int? = nil, _ fmtp: String? = nil) -> RTPFormat {
    RTPFormat(payloadType: 97, encoding: encoding, clockRate: rate, channels: channels, fmtp: fmtp)
}

@Suite struct RTPFormatTests {
    private static let sps = Base64.encode(Synthetic.h264SPS)
    private static let pps = Base64.encode(Synthetic.h264PPS)

    @Test("83: parameter sets are found")
    func readsSets() {
        let found = video("H264", "sprop-parameter-sets=\(Self.sps),\(Self.pps);packetization-mode=1").videoParameters
        #expect(found == Synthetic.h264)
    }

    @Test("83: sets with something more, or with start codes before them")
    func readsOddSets() {
        let prefix: [UInt8] = [0, 0, 0, 1]
        let annexB = [prefix + Synthetic.h264SPS, prefix + Synthetic.h264PPS].map { Base64.encode($0) }
        let texts = [
            "sprop-parameter-sets=\(Self.sps),\(Self.pps),AAAA,!!!", "sprop-parameter-sets=\(annexB[0]),\(annexB[1])",
            "Sprop-Parameter-Sets = \(Self.sps), \(Self.pps) ; x", "sprop-parameter-sets=,\(Self.pps),\(Self.sps),",
            "sprop-parameter-sets=\(Self.sps),\(Self.pps),\(Self.sps)",
        ]
        for text in texts { #expect(video("h264", text).videoParameters == Synthetic.h264, "\(text)") }
    }

    @Test(
        "83: what is no parameter set is left aside",
        arguments: [
            "sprop-parameter-sets=", "sprop-parameter-sets=Z2QA,aM4=", "sprop-parameter-sets=????",
            "packetization-mode=1",
            "sprop-parameter-sets=\(sps)", "sprop-parameter-sets=\(pps)", "sprop-parameter-sets=AAAAAQ==,AAAB", "",
        ]
    )
    func ignoresBrokenSets(fmtp: String) {
        #expect(video("H264", fmtp).videoParameters == nil)
        #expect(video("H264", fmtp).codec(in: "video") == .video(.h264))
    }

    @Test("84: H.265 has three kinds of sets, of which any may be missing or prefixed")
    func readsSetsOfH265() {
        let texts = [Synthetic.h265VPS, Synthetic.h265SPS, [0, 0, 1] + Synthetic.h265PPS].map { Base64.encode($0) }
        let all = "sprop-vps=\(texts[0]); sprop-sps=\(texts[1]); sprop-pps=\(texts[2])"
        #expect(video("H265", all).videoParameters == Synthetic.h265)
        #expect(video("H265", "sprop-sps=\(texts[1]); sprop-pps=\(texts[2])").videoParameters == nil)
        #expect(video("H265", "sprop-vps=\(texts[0])").videoParameters == nil)
    }

    @Test("84: a Dahua's sets")
    func readsSetsOfDahua() throws {
        let stream = try DescribedStream(sdp: Array(SDPFixtures.all[2].sdp.utf8))
        let found = try #require(stream.description.media[0].formats[0].videoParameters)
        #expect(found.vps.count == 1 && found.sps.count == 1 && found.pps.count == 1)
        #expect((found.width, found.height) == (2880, 1620))
    }

    @Test(
        "86: AAC needs its config and the length of its sizes",
        arguments: [
            "mode=AAC-hbr;config=1190;sizelength=13;indexlength=3;indexdeltalength=3",
            "mode=AAC_hbr; config=1190; SizeLength=13",
            "mode=aac-HBR;sizelength=13;config=1190;",
            "mode=AAC-lbr;config=1190;sizelength=6;indexlength=2;indexdeltalength=2",
        ]
    )
    func readsAAC(fmtp: String) {
        let format = audio("mpeg4-generic", 48_000, 2, fmtp)
        #expect(format.codec(in: "audio") == .audio(.aac))
        #expect(
            format.audioParameters
                == AudioParameters(codec: .aac, sampleRate: 48_000, channels: 2, configuration: [0x11, 0x90])
        )
    }

    @Test(
        "86: without one of them it is passed on",
        arguments: [
            nil, "", "mode=AAC-hbr;sizelength=13", "mode=AAC-hbr;config=1190",
            "mode=CELP-vbr;config=1190;sizelength=13",
            "mode=AAC-hbr;config=zz;sizelength=13", "mode=AAC-hbr;config=1190;sizelength=99",
            "mode=AAC-hbr;config=;sizelength=13",
        ]
    )
    func passesOnAACWithoutConfig(fmtp: String?) {
        let format = audio("MPEG4-GENERIC", 48_000, 2, fmtp)
        #expect(format.codec(in: "audio") == .passedOn("MPEG4-GENERIC"))
        #expect(format.audioParameters == nil)
    }

    @Test("86: HE-AAC: the map's rate is not the core's")
    func readsHighEfficiency() throws {
        // Object type 5, core 24 kHz, output 48 kHz.
        let format = audio("MPEG4-GENERIC", 48_000, 2, "mode=AAC-hbr;config=2b118800;sizelength=13;indexlength=3")
        let found = try #require(format.audioParameters)
        #expect(found.sampleRate == 24_000)
        #expect(AACFormat(format)?.frameTicks == 2048)
    }

    @Test("86: LATM has its config in the SDP, or in the stream")
    func readsLATM() throws {
        let here = audio("MP4A-LATM", 44_100, 2, "profile-level-id=2;cpresent=0;config=400024203fc0")
        let found = try #require(here.audioParameters)
        #expect(found.sampleRate == 44_100 && found.channels == 2 && found.codec == .aac)
        #expect(found.configuration.prefix(2) == [0x12, 0x10])
        #expect(audio("MP4A-LATM", 44_100, 2, "cpresent=1").codec(in: "audio") == .audio(.aac))
        #expect(audio("MP4A-LATM", 44_100, 2, nil).codec(in: "audio") == .audio(.aac))
        #expect(audio("MP4A-LATM", 44_100, 2, "cpresent=1").audioParameters == nil)
        #expect(audio("MP4A-LATM", 44_100, 2, "cpresent=0").codec(in: "audio") == .passedOn("MP4A-LATM"))
    }

    @Test("87: sound that needs little said")
    func readsOtherAudio() {
        #expect(audio("PCMA", 8000).audioParameters == AudioParameters(codec: .g711a, sampleRate: 8000, channels: 1))
        #expect(audio("pcmu", 8000, 2).audioParameters == AudioParameters(codec: .g711u, sampleRate: 8000, channels: 2))
        #expect(audio("PCMA", 16_000).codec(in: "audio") == .passedOn("PCMA"))
        #expect(audio("opus", 48_000, 2, "sprop-stereo=1").audioParameters?.channels == 2)
        #expect(audio("opus", 48_000, 2).audioParameters?.channels == 1)
        #expect(audio("opus", 48_000, 2).audioParameters?.configuration.count == 19)
        #expect(audio("MPA", 90_000).codec(in: "audio") == .audio(.mp3))
        for name in ["L16", "G726-32", "AAL2-G726-16", "VORBIS", "AC3", "G722", "speex"] {
            #expect(audio(name, 8000).codec(in: "audio") == .passedOn(name))
        }
    }

    @Test("88: video that is only passed on has its name")
    func namesOtherVideo() {
        for name in ["JPEG", "VP8", "MP4V-ES", "MPV", "MP2T", "H263-1998", "smart"] {
            #expect(video(name, nil).codec(in: "video") == .passedOn(name))
        }
        #expect(video("", nil).codec(in: "video") == .passedOn("payload type 96"))
        #expect(video("H264", nil).codec(in: "application") == .passedOn("H264"))
        #expect(video("VP9", nil).codec(in: "video") == .video(.vp9))
        #expect(video("AV1", nil).codec(in: "video") == .video(.av1))
    }
}
