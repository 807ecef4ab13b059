import NIOCore

/// Turns the messages of a publisher (RTMP, FLV file) into the events of a stream. What is malformed or of a codec that is not
/// carried is dropped and counted; it never ends the stream.
package struct FLVUnpackager: Sendable {
    package struct Statistics: Hashable, Sendable {
        /// Cut short, lengths that do not fit, records that cannot be read.
        package var malformed = 0
        /// Codecs that this product does not carry (VP8, AC-3, Speex, ...).
        package var unsupported = 0
        /// Coded frames that came before the sequence header of their codec.
        package var withoutParameters = 0
        /// Further tracks of multitrack messages (Enhanced RTMP v2): one of each kind is carried.
        package var skippedTracks = 0
        /// Script messages that are no metadata: cue points, text, ...
        package var ignoredScripts = 0

        package init() {}
    }

    package private(set) var statistics = Statistics()
    /// What users call the codecs that came and are not carried, for the log: "AC-3", "VP8". At most `maximumNames`.
    package private(set) var unsupportedCodecs: Set<String> = []
    package static let maximumNames = 8

    private var video: VideoParameters?
    private var parameterSets = ParameterSetMemory()
    private var nalLengthSize = 4
    private var audio: AudioParameters?
    private var metadata: StreamMetadata?
    /// The tracks that are carried; nil before the first message.
    private var videoTrack: UInt8?
    private var audioTrack: UInt8?
    private var clock = FLVClock()

    package init() {}

    /// One for the next publication of the same connection: it goes on counting and knows nothing else.
    package init(continuing statistics: Statistics) {
        self.statistics = statistics
    }

    /// Appends the events of one message: none, one, or parameters and a frame.
    package mutating func receive(_ message: FLVMessage, into events: inout [MediaEvent]) {
        switch message.kind {
        case .script:
            receiveScript(message.payload, into: &events)
        case .video:
            guard Self.selects(message, &videoTrack, &statistics) else { return }
            receiveVideo(message, into: &events)
        case .audio:
            guard Self.selects(message, &audioTrack, &statistics) else { return }
            receiveAudio(message, into: &events)
        }
    }

    /// The first track is carried until track 0 comes, which is the default one.
    private static func selects(
        _ message: FLVMessage,
        _ selected: inout UInt8?,
        _ statistics: inout Statistics
    ) -> Bool {
        statistics.skippedTracks &+= Int(message.skippedTracks)
        guard message.track != selected else { return true }
        guard selected == nil || message.track == 0 else {
            statistics.skippedTracks &+= 1
            return false
        }
        selected = message.track
        return true
    }

    private mutating func receiveScript(_ payload: ByteBuffer, into events: inout [MediaEvent]) {
        switch FLVScript(payload) {
        case .metadata(let received):
            guard received != metadata else { return }
            metadata = received
            events.append(.metadata(received))
        case .other: statistics.ignoredScripts &+= 1
        case .unreadable: statistics.malformed &+= 1
        }
    }

    private mutating func receiveVideo(_ message: FLVMessage, into events: inout [MediaEvent]) {
        switch FLVVideoContent(message.header) {
        case .cutShort:
            statistics.malformed &+= 1
        case .unsupported:
            noteUnsupported { message.header.unsupportedVideoName }
        case .ignored:
            break
        case .configuration(let codec):
            receiveRecord(message.payload, codec: codec, into: &events)
        case .picture(let codec, let isKey, let composition):
            guard let (payload, isRandomAccess) = codedPicture(message, codec, isKey, into: &events) else { return }
            let dts = clock.ticks(message.timestamp)
            let frame = Frame(
                track: .video,
                dts: dts,
                pts: dts &+ Int64(composition) &* 90,
                isKey: isRandomAccess,
                payload: payload
            )
            events.append(.frame(frame))
        }
    }

    /// What of a picture is carried, its parameters announced; nil when there is nothing.
    private mutating func codedPicture(
        _ message: FLVMessage,
        _ codec: VideoCodec,
        _ isKey: Bool,
        into events: inout [MediaEvent]
    ) -> (payload: ByteBuffer, isKey: Bool)? {
        var payload = message.payload
        var isKey = isKey
        if codec.hasNALUnits {
            guard let units = NALUnits(payload, lengthSize: nalLengthSize, codec: codec) else {
                statistics.malformed &+= 1
                return nil
            }
            adoptInBandParameters(units, codec: codec, into: &events)
            payload = units.payload
            isKey = isKey || units.hasRandomAccess
        } else if isKey, let video, video.codec == codec, video.width == 0 {
            adoptSize(of: payload, video, into: &events)
        }
        guard video?.codec == codec else {
            statistics.withoutParameters &+= 1
            return nil
        }
        return payload.readableBytes > 0 ? (payload, isKey) : nil
    }

    private mutating func receiveRecord(_ record: ByteBuffer, codec: VideoCodec, into events: inout [MediaEvent]) {
        // FFmpeg begins AV1 with an empty one, before its encoder knows better.
        guard record.readableBytes > 0 else { return }
        // Some hundred bytes; the limit keeps a lie from being copied.
        let configuration =
            record.readableBytes <= 65_536
            ? DecoderConfiguration(codec, record.readableBytesSpan) : nil
        guard let configuration, configuration.parameters.decoderConfiguration != nil else {
            statistics.malformed &+= 1
            return
        }
        // A repetition does not know the size that the key frames gave.
        if let video, !codec.hasNALUnits, video.codec == codec, video.record == configuration.parameters.record {
            return
        }
        nalLengthSize = configuration.lengthSize
        parameterSets = ParameterSetMemory()
        if codec.hasNALUnits { parameterSets.take(configuration.parameters) }
        adopt(configuration.parameters, into: &events)
    }

    /// Some encoders change their parameter sets inside a key frame, without a new sequence header; some only the PPS.
    private mutating func adoptInBandParameters(
        _ units: NALUnits,
        codec: VideoCodec,
        into events: inout [MediaEvent]
    ) {
        guard !units.sps.isEmpty || !units.pps.isEmpty || !units.vps.isEmpty else { return }
        let found = VideoParameters(codec: codec, vps: units.vps, sps: units.sps, pps: units.pps)
        // A repetition may name fewer sets than the sequence header did.
        if let video, video.codec == codec, video.contains(found) { return }
        if video?.codec != codec { parameterSets = ParameterSetMemory() }
        parameterSets.take(found)
        guard let known = parameterSets.known, known == video || known.decoderConfiguration != nil else { return }
        adopt(known, into: &events)
    }

    /// VP9 has its size in the key frames only, AV1 sometimes. A later change of it is the decoder's business.
    private mutating func adoptSize(
        of keyFrame: ByteBuffer,
        _ parameters: VideoParameters,
        into events: inout [MediaEvent]
    ) {
        var parameters = parameters
        let span = keyFrame.readableBytesSpan
        if parameters.codec == .av1, let header = AV1SequenceHeader(in: span) {
            (parameters.width, parameters.height) = (header.width, header.height)
        } else if parameters.codec == .vp9, let header = VP9FrameHeader(keyFrame: span) {
            (parameters.width, parameters.height) = (header.width, header.height)
        }
        adopt(parameters, into: &events)
    }

    private mutating func adopt(_ parameters: VideoParameters, into events: inout [MediaEvent]) {
        guard parameters != video else { return }
        video = parameters
        events.append(.video(parameters))
    }

    private mutating func receiveAudio(_ message: FLVMessage, into events: inout [MediaEvent]) {
        let header = message.header
        switch FLVAudioContent(header) {
        case .cutShort:
            statistics.malformed &+= 1
        case .unsupported:
            noteUnsupported { header.unsupportedAudioName }
        case .ignored:
            break
        case .configuration(let codec):
            let record = message.payload
            guard record.readableBytes > 0, !(codec == .opus && FLVAudioContent.isOpusTags(record)) else { return }
            guard let parameters = FLVAudioContent.parameters(codec, record: record) else {
                statistics.malformed &+= 1
                return
            }
            adopt(parameters, into: &events)
        case .frame(let codec):
            guard message.payload.readableBytes > 0 else { return }
            guard adoptImplied(codec, message, into: &events) else {
                statistics.withoutParameters &+= 1
                return
            }
            let time = clock.ticks(message.timestamp)
            events.append(.frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: message.payload)))
        }
    }

    /// Whether the parameters of a frame are known: only AAC cannot do without its sequence header.
    private mutating func adoptImplied(
        _ codec: AudioCodec,
        _ message: FLVMessage,
        into events: inout [MediaEvent]
    ) -> Bool {
        let isKnown = audio?.codec == codec
        switch codec {
        // Their record may say more than is implied.
        case .aac, .opus: if isKnown { return true }
        case .g711a, .g711u, .mp3: break
        }
        guard let implied = FLVAudioContent.implied(codec, header: message.header, frame: message.payload) else {
            return isKnown
        }
        adopt(implied, into: &events)
        return true
    }

    private mutating func adopt(_ parameters: AudioParameters, into events: inout [MediaEvent]) {
        guard parameters != audio else { return }
        audio = parameters
        events.append(.audio(parameters))
    }

    private mutating func noteUnsupported(_ name: () -> String) {
        statistics.unsupported &+= 1
        if unsupportedCodecs.count < Self.maximumNames { unsupportedCodecs.insert(name()) }
    }
}

extension VideoParameters {
    fileprivate func contains(_ other: VideoParameters) -> Bool {
        other.vps.allSatisfy(vps.contains) && other.sps.allSatisfy(sps.contains) && other.pps.allSatisfy(pps.contains)
    }
}

/// Unwraps 32-bit milliseconds to 90 kHz. Audio and video share it: each message is within 2^31 ms of the one before.
private struct FLVClock {
    private var last: Int64?

    mutating func ticks(_ timestamp: UInt32) -> Int64 {
        guard let last else {
            self.last = Int64(timestamp)
            return Int64(timestamp) &* 90
        }
        let step = Int32(bitPattern: timestamp &- UInt32(truncatingIfNeeded: last))
        let time = last &+ Int64(step)
        self.last = time
        return time &* 90
    }
}
