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
        // Each change of parameters comes with our own metadata.
        #expect(events.count { if case .metadata = $0 { true } else { false } } == 5)
        #expect(events.filter { if case .metadata = $0 { false } else { true } } == Self.events)
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

    @Test("codecs that are not carried are counted apart, and named for the log")
    func namesUnsupported() {
        let enhanced = { (name: String) in [0x90] + Array(name.utf8) + [1, 2] }
        let cases: [(FLVMessage.Kind, [UInt8], String)] = [
            (.video, enhanced("vp08"), "VP8"), (.video, enhanced("vvc1"), "VVC"),
            (.video, enhanced("a\nb\u{7F}"), "FourCC a?b?"),
            (.video, [0x12, 1, 2], "Sorenson H.263"), (.video, [0x23, 1], "Screen video"), (.video, [0x14, 1], "VP6"),
            (.video, [0x25, 1], "VP6 with alpha"), (.video, [0x1F, 1], "video codec id 15"),
            (.audio, enhanced("ac-3"), "AC-3"), (.audio, enhanced("ec-3"), "E-AC-3"),
            (.audio, enhanced("fLaC"), "FLAC"),
            (.audio, [0x6F, 1], "Nellymoser"), (.audio, [0xBF, 1], "Speex"), (.audio, [0x3F, 1], "PCM"),
            (.audio, [0x1F, 1], "ADPCM"),
        ]
        for (kind, body, name) in cases {
            var unpackager = FLVUnpackager()
            var events: [MediaEvent] = []
            unpackager.receive(FLVMessage(kind: kind, timestamp: 0, body: ByteBuffer(bytes: body)), into: &events)
            #expect(unpackager.statistics.unsupported == 1, "\(name)")
            #expect(unpackager.unsupportedCodecs == [name])
            #expect(events.isEmpty)
        }
    }

    @Test("a peer that invents codec names fills no memory with them")
    func boundsNames() {
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        for number in 0..<100 as Range<UInt8> {
            let body = ByteBuffer(bytes: [0x91, 0x41, 0x41, 0x41, number])
            unpackager.receive(FLVMessage(kind: .video, timestamp: 0, body: body), into: &events)
        }
        #expect(unpackager.statistics.unsupported == 100)
        #expect(unpackager.unsupportedCodecs.count <= FLVUnpackager.maximumNames)
    }

    @Test("what is legal and no picture is passed over: end of sequence, commands, HDR metadata, empty records")
    func ignoresPolitely() {
        let messages = [
            Self.video([0x17, 2, 0, 0, 0]), Self.video([0x17, 2]), Self.video([0x57, 0]), Self.video([0x5C, 1]),
            Self.video([0x54, 0]), Self.video([0x92, 0x68, 0x76, 0x63, 0x31]), Self.video([0xD0, 0]),
            Self.video([0xD4, 0x68, 0x76, 0x63, 0x31, 2, 0, 0]), Self.video([0x95, 0x61, 0x76, 0x30, 0x31, 1, 2]),
            Self.video([0x90, 0x61, 0x76, 0x30, 0x31]),
            FLVMessage(kind: .audio, timestamp: 0, body: ByteBuffer(bytes: [0xAF, 0])),
            FLVMessage(kind: .audio, timestamp: 0, body: ByteBuffer(bytes: [0x92] + Array("Opus".utf8))),
            FLVMessage(kind: .audio, timestamp: 0, body: ByteBuffer(bytes: [0x94] + Array("Opus".utf8) + [1, 2, 0])),
            FLVMessage(kind: .audio, timestamp: 0, body: ByteBuffer(bytes: [0x90] + Array("OpusOpusTags".utf8))),
        ]
        for message in messages {
            let (events, statistics) = FLVSamples.unpackage([message])
            #expect(events.isEmpty && !message.isKey)
            #expect(statistics == FLVUnpackager.Statistics(), "\(message.body)")
        }
    }

    @Test("a new sequence header in the middle announces new parameters, and the new length size counts")
    func adoptsNewHeader() throws {
        var changed = FLVSamples.avc
        changed.pps[0].append(0x80)
        var record = FLVSamples.package([.video(changed)])[1].body
        record.setInteger(0xFD as UInt8, at: 5 + 4)
        let (events, statistics) = FLVSamples.unpackage([
            Self.avcHeader, Self.video([0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 1]),
            FLVMessage(kind: .video, timestamp: 40, body: record), Self.video([0x17, 1, 0, 0, 0, 0, 2, 0x65, 2], 40),
        ])
        #expect(
            events == [
                .video(FLVSamples.avc), .frame(FLVSamples.video(dts: 0, pts: 0, isKey: true, [0x65, 1])),
                .video(changed), .frame(FLVSamples.video(dts: 3600, pts: 3600, isKey: true, [0x65, 2])),
            ]
        )
        #expect(statistics == FLVUnpackager.Statistics())
        // What is sent on to viewers changes with it.
        let sent = FLVSamples.package(events)
        #expect(sent.filter(\.isSequenceHeader).count == 2)
        #expect(sent.map(\.kind) == [.script, .video, .video, .script, .video, .video])
    }

    @Test("a PPS that changes alone replaces its like")
    func adoptsLonePPS() {
        var changed = FLVSamples.avc
        changed.pps[0].append(0x80)
        let message = Self.coded(FLVSamples.avcc(changed.pps[0], [0x41, 1]))
        let (events, _) = FLVSamples.unpackage([Self.avcHeader, message])
        #expect(events.dropFirst().first == .video(changed))
        #expect(events.count == 3)
    }

    @Test("parameter sets inside of the frames do for a sequence header that never came")
    func begsInBand() {
        let message = Self.coded(FLVSamples.avcc(FLVSamples.avc.sps[0], FLVSamples.avc.pps[0], [0x65, 1]))
        let (events, statistics) = FLVSamples.unpackage([message])
        #expect(events.first == .video(FLVSamples.avc))
        #expect(events.count == 2)
        #expect(statistics == FLVUnpackager.Statistics())
    }

    @Test("composition times are signed 24 bits in both forms", arguments: [-8_388_608, -40, -1, 0, 40, 8_388_607])
    func signedComposition(milliseconds: Int32) {
        let bytes = [16, 8, 0].map { UInt8(truncatingIfNeeded: milliseconds >> $0) }
        let header = FLVSamples.package([.video(FLVSamples.hevc)])[1]
        let unit: [UInt8] = [0, 0, 0, 3, 0x02, 1, 9]
        let legacy = Self.video([0x2C, 1] + bytes + unit, 1000)
        let enhanced = Self.video([0xA1, 0x68, 0x76, 0x63, 0x31] + bytes + unit, 1000)
        let expected = MediaEvent.frame(
            FLVSamples.video(dts: 90_000, pts: 90_000 + Int64(milliseconds) * 90, isKey: false, [0x02, 1, 9])
        )
        #expect(FLVSamples.unpackage([header, legacy]).events.last == expected)
        #expect(FLVSamples.unpackage([header, enhanced]).events.last == expected)
        #expect(legacy.converted(to: .enhanced) == enhanced)
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
