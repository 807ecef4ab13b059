import NIOCore
import Testing
import Wire

@testable import Media

@Suite struct StreamDescriptionTests {
    @Test("83: H.264 is described with its parameter sets and an upper-case profile")
    func describesH264AndAAC() throws {
        let audio = AudioParameters(codec: .aac, sampleRate: 44_100, channels: 1, configuration: [0x12, 0x08])
        let description = try #require(StreamDescription(video: Synthetic.h264, audio: audio))
        #expect(description.media.map(\.kind) == ["video", "audio"])
        let video = description.media[0].formats[0]
        #expect((video.payloadType, video.encoding, video.clockRate) == (96, "H264", 90_000))
        #expect(video.parameter("profile-level-id") == "42C00D")
        #expect(video.parameter("packetization-mode") == "1")
        let sets = video.parameter("sprop-parameter-sets")?.split(separator: ",").map { Base64.decode(String($0)) }
        #expect(sets == [Synthetic.h264SPS, Synthetic.h264PPS])
        let sound = description.media[1].formats[0]
        #expect(
            (sound.payloadType, sound.encoding, sound.clockRate, sound.channels) == (97, "MPEG4-GENERIC", 44_100, 1)
        )
        #expect(
            sound.fmtp
                == "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1208"
        )
    }

    @Test func describesTheOthers() throws {
        let h265 = try #require(StreamDescription(video: Synthetic.h265, audio: Synthetic.g711))
        #expect(h265.media.map(\.formats[0].payloadType) == [98, 8])
        #expect(h265.media[0].formats[0].parameter("sprop-vps") == Substring(Base64.encode(Synthetic.h265VPS)))
        let stereo = AudioParameters(codec: .g711u, sampleRate: 16_000, channels: 2)
        #expect(StreamDescription(video: nil, audio: stereo)?.media[0].formats[0].payloadType == 103)
        let opus = AudioParameters(codec: .opus, sampleRate: 48_000, channels: 1)
        #expect(StreamDescription(video: nil, audio: opus)?.media[0].formats[0].fmtp == "sprop-stereo=0")
        let av1 = VideoParameters(codec: .av1, sps: [], pps: [], record: [0x81, 0x08, 0x0C, 0])
        let format = StreamDescription(video: av1, audio: nil)?.media[0].formats[0]
        #expect(format?.fmtp == "profile=0; level-idx=8; tier=0")
        #expect(StreamDescription(video: nil, audio: nil) == nil)
        let incomplete = VideoParameters(codec: .h264, sps: [Synthetic.h264SPS], pps: [])
        #expect(StreamDescription(video: incomplete, audio: nil) == nil)
    }

    @Test func readersGoOnWithTheSameMedias() throws {
        let high = VideoParameters(codec: .h264, sps: [Synthetic.h264HighSPS], pps: [Synthetic.h264PPS])
        let one = try #require(StreamDescription(video: Synthetic.h264, audio: nil))
        let two = try #require(StreamDescription(video: high, audio: Synthetic.aac))
        let law = try #require(StreamDescription(video: Synthetic.h264, audio: Synthetic.g711))
        let other = AudioParameters(codec: .aac, sampleRate: 16_000, channels: 1, configuration: [0x14, 0x10])
        #expect(two.isCompatible(with: one))
        #expect(!one.isCompatible(with: two))
        #expect(!law.isCompatible(with: two))
        #expect(!StreamDescription(video: high, audio: other)!.isCompatible(with: two))
        #expect(!StreamDescription(video: Synthetic.h265, audio: Synthetic.aac)!.isCompatible(with: two))
        #expect(two.isCompatible(with: two))
    }

    @Test func walksFrames() {
        let bytes: [UInt8] = [0x24, 2, 0, 3, 1, 2, 3, 0x24, 1, 0, 0, 0x24, 0, 0, 5, 1]
        bytes.withSpan { span in
            var at = 0
            let first = InterleavedFrame.next(in: span, at: &at)
            #expect(first?.channel == 2 && first?.packet == 4..<7)
            let second = InterleavedFrame.next(in: span, at: &at)
            #expect(second?.channel == 1 && second?.packet == 11..<11)
            #expect(InterleavedFrame.next(in: span, at: &at) == nil)
            #expect(at == 11)
        }
        #expect(InterleavedFrame.media(ofChannel: 5) == (2, true))
    }

    @Test func timesOfDaySurviveNTP() {
        for nanoseconds in [0, 1, 999_999_999, 1_700_000_000_123_456_789, 2_100_000_000_000_000_001] as [Int64] {
            let time = WallClock(nanoseconds: nanoseconds)
            #expect(WallClock(ntp: time.ntp) == time)
        }
        // RFC 3550 6.4.1 and RFC 5905: 1 January 1970.
        #expect(WallClock(nanoseconds: 0).ntp == 2_208_988_800 << 32)
        #expect(WallClock(nanoseconds: 500_000_000).ntp & 0xFFFF_FFFF == 0x8000_0000)
    }

    @Test func readsReceiverReports() {
        let report: [UInt8] = [
            0x82, 201, 0, 13, 0, 0, 0, 9,
            0, 0, 0, 1, 64, 0xFF, 0xFF, 0xFE, 0, 1, 0, 2, 0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 2, 0, 0, 0, 5, 0, 1, 0, 2, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 0,
        ]
        let events: [RTCPEvent] = [
            .receiverReport(about: 1, fractionLost: 64, lost: -2, jitter: 33),
            .receiverReport(about: 2, fractionLost: 0, lost: 5, jitter: 44),
        ]
        #expect(report.withSpan { RTCPEvent.parse($0) } == events)
        for length in 0..<report.count {
            #expect(report[..<length].withUnsafeBytes { RTCPEvent.parse($0.bytes) } == [])
        }
        // More blocks announced than there are.
        #expect(([0x9F] + report.dropFirst()).withSpan { RTCPEvent.parse($0) } == events)
        #expect(RTCPPacket.emptyReceiverReport(from: 0x0102_0304) == [0x80, 201, 0, 1, 1, 2, 3, 4])
    }
}
