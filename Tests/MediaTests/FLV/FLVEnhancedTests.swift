import Media
import NIOCore
import Testing

/// Enhanced RTMP v1 and v2: codecs beyond the legacy ids, modifiers, and several tracks in one message.
@Suite("Enhanced FLV")
struct FLVEnhancedTests {
    private static let hvc1 = Array("hvc1".utf8)
    private static let unit: [UInt8] = [0, 0, 0, 3, 0x26, 1, 9]
    private static let picture = MediaEvent.frame(FLVSamples.video(dts: 3600, pts: 7200, isKey: true, [0x26, 1, 9]))

    /// A message of the parts, one behind the other.
    private static func message(_ kind: FLVMessage.Kind, at timestamp: UInt32 = 40, _ parts: [UInt8]...) -> FLVMessage {
        FLVMessage(kind: kind, timestamp: timestamp, body: ByteBuffer(bytes: parts.flatMap(\.self)))
    }

    private static let opusName = Array("Opus".utf8)
    private static let ac3Name = Array("ac-3".utf8)
    private static let mp3Name = Array(".mp3".utf8)

    /// Track identifier, size in 24 bits, content.
    private static func track(_ identifier: UInt8, _ content: [UInt8]) -> [UInt8] {
        [identifier, 0, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
    }

    private static let hevcRecord = Array(
        FLVSamples.package([.video(FLVSamples.hevc)])[1].payload.readableBytesView
    )

    @Test("ModEx, one or several, short or long, is skipped and the real packet read")
    func skipsModifiers() {
        let nano: [UInt8] = [2, 0x0F, 0x42, 0x40]
        let long: [UInt8] = [0xFF, 0x01, 0x2B] + Array(repeating: 7, count: 300)
        let chains: [[[UInt8]]] = [
            [[0x97], nano, [0x01]], [[0x97], nano, [0x07], nano, [0x01]], [[0x97], long, [0xF1]],
            [[0x97, 0, 9, 0x17], nano, [0x01]],
        ]
        let header = Self.message(.video, at: 0, [0x97], nano, [0x00], Self.hvc1, Self.hevcRecord)
        #expect(header.isSequenceHeader)
        for chain in chains {
            let message = Self.message(.video, chain.flatMap(\.self), Self.hvc1, [0, 0, 40], Self.unit)
            #expect(message == Self.message(.video, [0x91], Self.hvc1, [0, 0, 40], Self.unit))
            #expect(message.isKey)
            let (events, statistics) = FLVSamples.unpackage([header, message])
            #expect(events == [.video(FLVSamples.hevc), Self.picture])
            #expect(statistics == FLVUnpackager.Statistics())
        }
        let audio = Self.message(.audio, [0x97], nano, [0x01], Self.opusName, [7, 8])
        #expect(audio == Self.message(.audio, [0x91], Self.opusName, [7, 8]))
        // A chain without end is no message.
        let links = Array(repeating: [0, 0, 7] as [UInt8], count: 100).flatMap(\.self)
        #expect(FLVSamples.unpackage([Self.message(.video, [0x97], links)]).statistics.malformed == 1)
    }

    @Test("one track in a multitrack message is that track; tracks beside the first are skipped and counted")
    func readsOneTrack() {
        let messages = [
            Self.message(.video, at: 0, [0x96, 0x00], Self.hvc1, [0], Self.hevcRecord),
            Self.message(.video, at: 0, [0x96, 0x00], Self.hvc1, [1], Self.hevcRecord),
            Self.message(.video, [0x96, 0x01], Self.hvc1, [0, 0, 0, 40], Self.unit),
            Self.message(.video, [0x96, 0x01], Self.hvc1, [1, 0, 0, 40], Self.unit),
        ]
        let (events, statistics) = FLVSamples.unpackage(messages)
        #expect(events == [.video(FLVSamples.hevc), Self.picture])
        #expect(statistics.skippedTracks == 2)
        #expect(statistics.malformed == 0)
    }

    @Test("of many tracks the one with number 0 is taken wherever it stands, else the first", arguments: [false, true])
    func readsManyTracks(manyCodecs: Bool) {
        func message(_ timestamp: UInt32, _ type: UInt8, _ tracks: [(UInt8, [UInt8])]) -> FLVMessage {
            var body: [UInt8] = manyCodecs ? [0x96, 0x20 | type] : [0x96, 0x10 | type] + Self.hvc1
            for (number, content) in tracks {
                if manyCodecs { body += Self.hvc1 }
                body += Self.track(number, content)
            }
            return Self.message(.video, at: timestamp, body)
        }
        let coded: [UInt8] = [0, 0, 40] + Self.unit
        let other: [UInt8] = [0, 0, 0, 0, 0, 0, 3, 0x02, 1, 9]
        let withZero = [
            message(0, 0, [(2, [1, 2, 3]), (0, Self.hevcRecord)]),
            message(40, 1, [(1, other), (0, coded), (3, other)]),
            // A message of other tracks alone, later.
            message(80, 1, [(1, other), (2, other)]),
        ]
        let first = FLVSamples.unpackage(withZero)
        #expect(first.events == [.video(FLVSamples.hevc), Self.picture])
        #expect(first.statistics.skippedTracks == 5)
        let withoutZero = [message(0, 0, [(1, Self.hevcRecord), (2, [1])]), message(40, 1, [(1, coded), (2, other)])]
        let second = FLVSamples.unpackage(withoutZero)
        #expect(second.events == [.video(FLVSamples.hevc), Self.picture])
        #expect(second.statistics.skippedTracks == 2)
    }

    @Test("tracks of different codecs: the first is carried, and may be sound")
    func readsManyCodecs() {
        let header = Self.message(
            .audio,
            at: 0,
            [0x95, 0x20],
            Self.opusName,
            Self.track(0, FLVSamples.opus.configuration),
            Self.ac3Name,
            Self.track(1, [])
        )
        let frame = Self.message(
            .audio,
            [0x95, 0x21],
            Self.opusName,
            Self.track(0, [7, 8]),
            Self.ac3Name,
            Self.track(1, [9])
        )
        let (events, statistics) = FLVSamples.unpackage([header, frame])
        #expect(events == [.audio(FLVSamples.opus), .frame(FLVSamples.audio(3600, [7, 8]))])
        #expect(statistics.skippedTracks == 2)
        #expect(statistics.unsupported == 0)
    }

    @Test("track 0 takes over from a track that came before it")
    func prefersTrackZero() {
        let (events, statistics) = FLVSamples.unpackage([
            Self.message(.audio, at: 0, [0x95, 0x01], Self.opusName, [1, 7, 8]),
            Self.message(.audio, at: 0, [0xAF, 0, 0x12, 0x10]),
            Self.message(.audio, at: 20, [0x95, 0x01], Self.opusName, [1, 7, 8]),
        ])
        #expect(events.last == .audio(FLVSamples.aac))
        #expect(statistics.skippedTracks == 1)
    }

    @Test("sizes that lie, kinds that do not exist, and multitrack in multitrack are malformed")
    func refusesLies() {
        let bodies: [[[UInt8]]] = [
            [[0x96, 0x11], Self.hvc1, [0, 0xFF, 0xFF, 0xFF], Self.unit],
            [[0x96, 0x11], Self.hvc1, Self.track(0, [0, 0, 40]), [1, 0, 0, 2, 1]],
            [[0x96, 0x21], Self.hvc1, [0, 0, 0]],
            [[0x96, 0x11], Self.hvc1], [[0x96, 0x21]], [[0x96, 0x31], Self.hvc1, [0]], [[0x96]], [[0x96, 0x01]],
            [[0x96, 0x06], Self.hvc1, [0]], [[0x96, 0x07], Self.hvc1, [0]], [[0x97]], [[0x97, 9, 1]],
            [[0x97, 0xFF, 0xFF]], [[0x97, 0, 0]], [[0x97, 0, 0, 1]], [[0x97, 0, 0, 1, 0x68, 0x76]],
        ]
        for body in bodies {
            let message = Self.message(.video, body.flatMap(\.self))
            let (events, statistics) = FLVSamples.unpackage([message])
            #expect(events.isEmpty)
            #expect(statistics.malformed == 1, "\(body)")
            #expect(!message.isKey && !message.isSequenceHeader)
        }
    }

    @Test("more tracks than there are numbers end the message")
    func boundsTracks() {
        let tracks = Array(repeating: Self.track(1, []), count: 300).flatMap(\.self)
        let message = Self.message(.video, [0x96, 0x11], Self.hvc1, tracks)
        #expect(FLVSamples.unpackage([message]).statistics.malformed == 1)
    }

    @Test("AV1 and VP9 go through, with their size, in the one form that they have", arguments: FLVHEVCFormat.allCases)
    func carriesOtherCodecs(format: FLVHEVCFormat) {
        var sized = FLVSamples.vp9
        (sized.width, sized.height) = (320, 180)
        let key = Frame(
            track: .video,
            dts: 3600,
            pts: 3600,
            isKey: true,
            payload: ByteBuffer(bytes: FLVSamples.vp9KeyFrame)
        )
        var inter = key
        (inter.dts, inter.pts, inter.isKey) = (7200, 7200, false)
        inter.payload = ByteBuffer(bytes: [0x86, 0, 0x40])
        let av1: [MediaEvent] = [.video(FLVSamples.av1), .frame(key), .frame(inter)]
        let vp9: [MediaEvent] = [.video(sized), .frame(key), .frame(inter)]
        let sentAV1 = FLVSamples.package(av1, hevc: format)
        #expect(Array(sentAV1[1].body.readableBytesView.prefix(6)) == [0x90, 0x61, 0x76, 0x30, 0x31, 0x81])
        #expect(Array(sentAV1[2].body.readableBytesView.prefix(6)) == [0x91, 0x61, 0x76, 0x30, 0x31, 0x82])
        #expect(sentAV1[2].isKey && sentAV1[1].isSequenceHeader && !sentAV1[3].isKey)
        #expect(Array(FLVSamples.unpackage(sentAV1).events.dropFirst()) == av1)
        let sentVP9 = FLVSamples.package(vp9, hevc: format)
        // The size is not in the record: it is known with the first key frame.
        let received = FLVSamples.unpackage(sentVP9)
        #expect(Array(received.events.dropFirst()) == [.video(FLVSamples.vp9)] + vp9)
        #expect(received.statistics == FLVUnpackager.Statistics())
        let resent = FLVSamples.package(received.events, hevc: format)
        #expect(resent.map(\.kind) == [.script, .video, .script, .video, .video])
        let repeated = FLVSamples.unpackage(sentVP9 + sentVP9.dropFirst().prefix(1))
        #expect(repeated.events == received.events)
        for message in sentAV1 + sentVP9 {
            #expect(message.converted(to: .legacy) == message)
            #expect(message.converted(to: .enhanced) == message)
            #expect(FLVMessage(kind: message.kind, timestamp: message.timestamp, body: message.body) == message)
        }
    }

    @Test("only readers of the enhanced form can be given AV1 and VP9")
    func saysWhatItCarries() {
        for codec in [VideoCodec.h264, .h265, .av1, .vp9] {
            #expect(FLVPackager(hevc: .enhanced).canCarry(codec))
            #expect(FLVPackager(hevc: .legacy).canCarry(codec) == (codec == .h264 || codec == .h265))
        }
    }

    @Test("Opus has a sequence header in the enhanced form, and sound format 13 in the legacy one")
    func packagesOpus() {
        let events: [MediaEvent] = [.audio(FLVSamples.opus), .frame(FLVSamples.audio(900, [7, 8]))]
        let legacy = FLVSamples.package(events)
        let enhanced = FLVSamples.package(events, hevc: .enhanced)
        #expect(legacy.map(\.kind) == [.script, .audio])
        #expect(enhanced.map(\.kind) == [.script, .audio, .audio])
        let head = [0x90] + Self.opusName + FLVSamples.opus.configuration
        #expect(Array(enhanced[1].body.readableBytesView) == head)
        #expect(Array(enhanced[2].body.readableBytesView) == [0x91] + Self.opusName + [7, 8])
        #expect(enhanced[1].isSequenceHeader && !enhanced[2].isSequenceHeader)
        #expect(legacy[1].converted(to: .enhanced) == enhanced[2])
        #expect(enhanced[2].converted(to: .legacy) == legacy[1])
        #expect(legacy[0].converted(to: .enhanced) == enhanced[0])
        #expect(enhanced[0].converted(to: .legacy) == legacy[0])
        #expect(Array(FLVSamples.unpackage(enhanced).events.dropFirst()) == events)
    }

    @Test("MP3: rate and channels are those of the frame, the tag says what it can")
    func carriesMP3() {
        let rates: [(frame: [UInt8], parameters: AudioParameters, tag: UInt8)] = [
            (FLVSamples.mp3Frame, FLVSamples.mp3, 0x2E),
            ([0xFF, 0xFB, 0x54, 0x04, 0], AudioParameters(codec: .mp3, sampleRate: 48_000, channels: 2), 0x2F),
            ([0xFF, 0xF3, 0x50, 0xC4, 0], AudioParameters(codec: .mp3, sampleRate: 22_050, channels: 1), 0x2A),
            ([0xFF, 0xE3, 0x58, 0xC4, 0], AudioParameters(codec: .mp3, sampleRate: 8000, channels: 1), 0xE2),
        ]
        for (bytes, parameters, tag) in rates {
            let events: [MediaEvent] = [.audio(parameters), .frame(FLVSamples.audio(0, bytes))]
            let messages = FLVSamples.package(events)
            #expect(messages.count == 2)
            #expect(Array(messages[1].body.readableBytesView) == [tag] + bytes)
            #expect(FLVSamples.unpackage([messages[1]]).events == events)
        }
        let enhanced = Self.message(.audio, at: 0, [0x91], Self.mp3Name, FLVSamples.mp3Frame)
        #expect(FLVSamples.unpackage([enhanced]).events.first == .audio(FLVSamples.mp3))
        let start = Self.message(.audio, at: 0, [0x90], Self.mp3Name)
        #expect(FLVSamples.unpackage([start]).statistics == FLVUnpackager.Statistics())
        // Neither AAC nor layer II nor noise is taken for it.
        for bytes in [[0xFF, 0xF1, 0x50, 0x80], [0xFF, 0xFD, 0x50, 0], [0xFF, 0xFB, 0xF0, 0], [1, 2, 3, 4]] as [[UInt8]]
        {
            let (events, statistics) = FLVSamples.unpackage([Self.message(.audio, at: 0, [0x2F], bytes)])
            #expect(events.isEmpty)
            #expect(statistics.withoutParameters == 1)
        }
    }
}
