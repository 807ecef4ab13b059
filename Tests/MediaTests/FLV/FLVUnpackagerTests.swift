import Media
import NIOCore
import Testing

@Suite("FLV unpackager")
struct FLVUnpackagerTests {
    private static let events: [MediaEvent] = [
        .video(FLVSamples.avc),
        .audio(FLVSamples.aac),
        .frame(FLVSamples.video(dts: 3600, pts: 10_800, isKey: true, [0x65, 1, 2])),
        .frame(FLVSamples.audio(4500, [1, 2, 3])),
        .frame(FLVSamples.video(dts: 7200, pts: 7200, isKey: false, [0x41, 3])),
        .audio(FLVSamples.g711a),
        .frame(FLVSamples.audio(7290, [0xD5])),
        .audio(FLVSamples.g711u),
        .frame(FLVSamples.audio(7380, [0xFF])),
        .video(FLVSamples.hevc),
        .frame(FLVSamples.video(dts: 10_800, pts: 14_400, isKey: true, [0x26, 1, 9])),
        .frame(FLVSamples.video(dts: 14_400, pts: 10_800, isKey: false, [0x02, 1, 9])),
    ]

    private static func video(_ bytes: [UInt8], _ timestamp: UInt32 = 0) -> FLVMessage {
        FLVMessage(kind: .video, timestamp: timestamp, body: ByteBuffer(bytes: bytes))
    }

    private static func coded(_ units: ByteBuffer) -> FLVMessage {
        video([0x27, 1, 0, 0, 0] + Array(units.readableBytesView))
    }

    private static let avcHeader = FLVSamples.package([.video(FLVSamples.avc)])[1]

    @Test("gives back the events that were packaged", arguments: FLVHEVCFormat.allCases)
    func roundTrip(format: FLVHEVCFormat) {
        let (events, statistics) = FLVSamples.unpackage(FLVSamples.package(Self.events, hevc: format))
        #expect(events == Self.events)
        #expect(statistics == FLVUnpackager.Statistics())
    }

    @Test("enhanced CodedFramesX has composition time 0")
    func codedFramesX() {
        let header = FLVSamples.package([.video(FLVSamples.hevc)], hevc: .enhanced)[1]
        let frame = Self.video([0x93, 0x68, 0x76, 0x63, 0x31, 0, 0, 0, 3, 0x26, 1, 9], 40)
        #expect(frame.isKey)
        let (events, _) = FLVSamples.unpackage([header, frame])
        #expect(events.last == .frame(FLVSamples.video(dts: 3600, pts: 3600, isKey: true, [0x26, 1, 9])))
        // Sequence end and HDR metadata carry the key frame type and are no pictures.
        for type in [2, 4] as [UInt8] { #expect(!Self.video([0x90 | type, 0x68, 0x76, 0x63, 0x31, 0]).isKey) }
        // In the other form the header gets its composition time.
        #expect(Array(frame.converted(to: .legacy).body.readableBytesView.prefix(6)) == [0x1C, 1, 0, 0, 0, 0])
    }

    @Test("takes out parameter sets and delimiters, keeps SEI and all slices")
    func filtersUnits() {
        let sei: [UInt8] = [6, 5, 1, 0, 0x80]
        let message = Self.coded(
            FLVSamples.avcc([9, 0xF0], FLVSamples.avc.sps[0], FLVSamples.avc.pps[0], sei, [0x65, 1], [0x65, 2])
        )
        let (events, statistics) = FLVSamples.unpackage([Self.avcHeader, message])
        let frame = Frame(
            track: .video,
            dts: 0,
            pts: 0,
            isKey: true,
            payload: FLVSamples.avcc(sei, [0x65, 1], [0x65, 2])
        )
        // The same parameters again are no change, and an IDR slice is a key frame whatever the header says.
        #expect(events == [.video(FLVSamples.avc), .frame(frame)])
        #expect(statistics == FLVUnpackager.Statistics())
    }

    @Test("parameter sets that change inside of a frame are announced before it")
    func adoptsInBandChange() {
        var changed = FLVSamples.avc
        changed.pps[0].append(0x80)
        let message = Self.coded(FLVSamples.avcc(changed.sps[0], changed.pps[0], [0x65, 1]))
        let (events, _) = FLVSamples.unpackage([Self.avcHeader, message])
        #expect(events.dropFirst().first == .video(changed))
        #expect(events.count == 3)
    }

    @Test("short NAL lengths are widened", arguments: [1, 2])
    func widensLengths(size: Int) {
        var record = Self.avcHeader.body
        record.setInteger(UInt8(0xFC | (size - 1)), at: 5 + 4)
        let header = FLVMessage(kind: .video, timestamp: 0, body: record)
        let length: [UInt8] = Array(repeating: 0, count: size - 1) + [2]
        let (events, _) = FLVSamples.unpackage([header, Self.video([0x17, 1, 0, 0, 0] + length + [0x65, 7])])
        #expect(events.last == .frame(FLVSamples.video(dts: 0, pts: 0, isKey: true, [0x65, 7])))
    }

    @Test("milliseconds unwrap over 2^32, and audio and video share the count")
    func unwraps() {
        let messages = [
            Self.avcHeader,
            Self.video([0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65], 0xFFFF_FFF0),
            FLVMessage(kind: .audio, timestamp: 4, body: ByteBuffer(bytes: [0x72, 1])),
            Self.video([0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41], 0xFFFF_FFFA),
        ]
        let times = FLVSamples.unpackage(messages).events.compactMap { event in
            if case .frame(let frame) = event { frame.dts / 90 } else { nil }
        }
        #expect(times == [0xFFFF_FFF0, 0x1_0000_0004, 0xFFFF_FFFA])
    }

    @Test("lengths that point past the end drop the message")
    func refusesLyingLengths() {
        for body in [[0, 0, 0, 9, 0x65], [0xFF, 0xFF, 0xFF, 0xFF, 0x65], [0, 0, 0, 1, 0x65, 0, 0]] as [[UInt8]] {
            let (events, statistics) = FLVSamples.unpackage([
                Self.avcHeader, Self.video([0x17, 1, 0, 0, 0] + body),
            ])
            #expect(events.count == 1)
            #expect(statistics.malformed == 1)
        }
    }

    @Test("messages cut short anywhere are dropped, never a crash", arguments: FLVHEVCFormat.allCases)
    func everyTruncation(format: FLVHEVCFormat) {
        for message in FLVSamples.package(Self.events, hevc: format) {
            let body = message.body
            for length in 0..<body.readableBytes {
                let cut = FLVMessage(
                    kind: message.kind,
                    timestamp: 0,
                    body: body.getSlice(at: 0, length: length) ?? ByteBuffer()
                )
                _ = cut.converted(to: .enhanced).converted(to: .legacy)
                let (events, statistics) = FLVSamples.unpackage([cut])
                #expect(events.count <= 2)
                #expect(statistics.malformed <= 1)
            }
        }
    }

    @Test("what ended other servers: one byte of each kind")
    func oneByteMessages() {
        for byte in UInt8.min...UInt8.max {
            for kind in [FLVMessage.Kind.audio, .video, .script] {
                let message = FLVMessage(kind: kind, timestamp: 0, body: ByteBuffer(bytes: [byte]))
                #expect(FLVSamples.unpackage([message]).events.isEmpty)
            }
        }
        #expect(FLVSamples.unpackage([Self.video([0x17])]).statistics.malformed == 1)
        #expect(FLVSamples.unpackage([Self.video([0x90])]).statistics.malformed == 1)
        let audio = FLVMessage(kind: .audio, timestamp: 0, body: ByteBuffer(bytes: [0xAF]))
        #expect(FLVSamples.unpackage([audio]).statistics.malformed == 1)
    }

    @Test("codecs that are not carried are counted apart: AV1, VP6, MP3")
    func countsUnsupported() {
        let messages = [
            Self.video([0x90, 0x61, 0x76, 0x30, 0x31, 1, 2]),
            Self.video([0x14, 1, 2, 3, 4, 5]),
            FLVMessage(kind: .audio, timestamp: 0, body: ByteBuffer(bytes: [0x2F, 1, 2])),
        ]
        #expect(FLVSamples.unpackage(messages).statistics.unsupported == 3)
    }

    @Test("frames before the sequence header are dropped and counted")
    func needsParameters() {
        let messages = [
            Self.video([0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]),
            FLVMessage(kind: .audio, timestamp: 0, body: ByteBuffer(bytes: [0xAF, 1, 2])),
        ]
        let (events, statistics) = FLVSamples.unpackage(messages)
        #expect(events.isEmpty)
        #expect(statistics.withoutParameters == 2)
    }
}
