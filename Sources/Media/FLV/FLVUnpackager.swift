import NIOCore

/// Turns the messages of a publisher (RTMP, FLV file) into the events of a stream. What is malformed or of a codec that is not
/// carried is dropped and counted; it never ends the stream.
package struct FLVUnpackager: Sendable {
    package struct Statistics: Hashable, Sendable {
        /// Cut short, lengths that do not fit, records that cannot be read.
        package var malformed = 0
        /// Codecs that this product does not carry (AV1, VP9, MP3, Speex, ...).
        package var unsupported = 0
        /// Coded frames that came before the sequence header of their codec.
        package var withoutParameters = 0

        package init() {}
    }

    package private(set) var statistics = Statistics()
    /// The codec header of the last unsupported message, for the log: first byte and FourCC tell which codec it is.
    package private(set) var lastUnsupported: FLVCodecHeader?

    private var video: VideoParameters?
    private var nalLengthSize = 4
    private var audio: AudioParameters?
    private var clock = FLVClock()

    package init() {}

    /// One for the next publication of the same connection: it goes on counting and knows nothing else.
    package init(continuing statistics: Statistics) {
        self.statistics = statistics
    }

    /// Appends the events of one message: none, one, or parameters and a frame.
    package mutating func receive(_ message: FLVMessage, into events: inout [MediaEvent]) {
        switch message.kind {
        case .script: break
        case .video: receiveVideo(message, into: &events)
        case .audio: receiveAudio(message, into: &events)
        }
    }

    private mutating func receiveVideo(_ message: FLVMessage, into events: inout [MediaEvent]) {
        let header = message.header
        guard let codec = header.videoCodec else {
            drop(message, isCutShort: header.isCutShortVideo)
            return
        }
        if message.isSequenceHeader {
            receiveRecord(message.payload, codec: codec, into: &events)
        } else if let picture = header.codedPicture {
            let units = NALUnits(message.payload, lengthSize: nalLengthSize, codec: codec)
            guard let units else {
                statistics.malformed &+= 1
                return
            }
            adoptInBandParameters(units, codec: codec, into: &events)
            guard video?.codec == codec else {
                statistics.withoutParameters &+= 1
                return
            }
            guard units.payload.readableBytes > 0 else { return }
            let dts = clock.ticks(message.timestamp)
            let frame = Frame(
                track: .video,
                dts: dts,
                pts: dts &+ Int64(picture.composition) &* 90,
                isKey: picture.isKey || units.hasRandomAccess,
                payload: units.payload
            )
            events.append(.frame(frame))
        }
        // Else an end of sequence or enhanced metadata (HDR): nothing to carry on.
    }

    private mutating func receiveRecord(_ record: ByteBuffer, codec: VideoCodec, into events: inout [MediaEvent]) {
        // Some hundred bytes; the limit keeps a lie from being copied.
        let configuration =
            record.readableBytes <= 65_536
            ? Array(record.readableBytesView).withSpan { DecoderConfiguration(codec, $0) } : nil
        guard let configuration, configuration.parameters.isComplete else {
            statistics.malformed &+= 1
            return
        }
        nalLengthSize = configuration.lengthSize
        adopt(configuration.parameters, into: &events)
    }

    /// Some encoders change their parameter sets inside a key frame, without a new sequence header.
    private mutating func adoptInBandParameters(
        _ units: NALUnits,
        codec: VideoCodec,
        into events: inout [MediaEvent]
    ) {
        guard !units.sps.isEmpty else { return }
        let found = VideoParameters(codec: codec, vps: units.vps, sps: units.sps, pps: units.pps)
        guard found.isComplete else { return }
        // A repetition may name fewer sets than the sequence header did.
        if let video, video.codec == codec, video.contains(found) { return }
        adopt(found, into: &events)
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
            drop(message, isCutShort: false)
        case .ignored:
            break
        case .configuration(let codec):
            guard let parameters = FLVAudioContent.parameters(codec, record: message.payload) else {
                statistics.malformed &+= 1
                return
            }
            adopt(parameters, into: &events)
        case .frame(let codec):
            guard message.payload.readableBytes > 0 else { return }
            // Only AAC cannot do without its configuration; the header says the rest.
            if audio?.codec != codec || codec == .g711a || codec == .g711u {
                guard let implied = FLVAudioContent.implied(codec, header: header) else {
                    statistics.withoutParameters &+= 1
                    return
                }
                adopt(implied, into: &events)
            }
            let time = clock.ticks(message.timestamp)
            events.append(.frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: message.payload)))
        }
    }

    private mutating func adopt(_ parameters: AudioParameters, into events: inout [MediaEvent]) {
        guard parameters != audio else { return }
        audio = parameters
        events.append(.audio(parameters))
    }

    private mutating func drop(_ message: FLVMessage, isCutShort: Bool) {
        if isCutShort {
            statistics.malformed &+= 1
        } else {
            statistics.unsupported &+= 1
            lastUnsupported = message.header
        }
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
