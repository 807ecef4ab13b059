import NIOCore
import Wire

/// The sound of a stream of RTSP: payloads in, parameters and frames out. Loss costs what was lost and no more.
struct AudioInput: Sendable {
    private enum Format: Sendable {
        case aac(AACDepacketizer)
        case latm(LATMDepacketizer)
        case mpa(MPADepacketizer)
        case opus
        /// G.711: a byte for a sample of each channel.
        case samples(AudioCodec, channels: Int)
    }

    let codec: AudioCodec
    private var format: Format
    private var announced: AudioParameters?
    private var units: [AudioUnit] = []
    private var lastTimestamp: UInt32?
    /// The last frame's time, and where it ends.
    private var last: Int64?
    private var end: Int64 = 0
    private(set) var frames = 0

    /// Nil when the format is none that is made frames of.
    init?(_ payload: RTPFormat) {
        guard case .audio(let codec) = payload.codec(in: "audio") else { return nil }
        self.codec = codec
        switch codec {
        case .aac:
            if let aac = AACFormat(payload), payload.encoding.uppercased() != "MP4A-LATM" {
                format = .aac(AACDepacketizer(aac))
            } else if let latm = LATMFormat(payload) {
                format = .latm(LATMDepacketizer(latm))
            } else {
                return nil
            }
        case .mp3: format = .mpa(MPADepacketizer())
        case .opus: format = .opus
        case .g711a, .g711u: format = .samples(codec, channels: max(payload.channels ?? 1, 1))
        }
    }

    var hasEmitted: Bool { last != nil }

    var malformed: Int {
        switch format {
        case .aac(let depacketizer): depacketizer.malformed
        case .latm(let depacketizer): depacketizer.malformed
        case .mpa(let depacketizer): depacketizer.malformed
        case .opus, .samples: 0
        }
    }

    /// MPEG audio of a layer that is not made frames of.
    var hasOtherLayer: Bool {
        if case .mpa(let depacketizer) = format { return depacketizer.hasOtherLayer }
        return false
    }

    /// Parameters that the description or the stream tells.
    mutating func announce(_ parameters: AudioParameters, into events: inout [MediaEvent]) {
        guard parameters != announced else { return }
        announced = parameters
        events.append(.audio(parameters))
    }

    mutating func discontinuity() {
        switch format {
        case .aac(var depacketizer):
            depacketizer.discontinuity()
            format = .aac(depacketizer)
        case .latm(var depacketizer):
            depacketizer.discontinuity()
            format = .latm(depacketizer)
        case .mpa(var depacketizer):
            depacketizer.discontinuity()
            format = .mpa(depacketizer)
        case .opus, .samples: break
        }
    }

    /// - Parameter pts: of the packet's timestamp.
    mutating func receive(
        _ payload: RawSpan,
        _ header: RTPPacket,
        pts: Int64,
        timeline: inout RTPTimeline,
        into events: inout [MediaEvent]
    ) {
        var timestamp = header.timestamp
        switch format {
        case .aac(var depacketizer):
            depacketizer.receive(payload, timestamp: timestamp, into: &units)
            format = .aac(depacketizer)
        case .latm(var depacketizer):
            timestamp = depacketizer.receive(payload, timestamp: timestamp, marker: header.marker, into: &units)
            if let configuration = depacketizer.configuration, !units.isEmpty,
                let parameters = AudioParameters(audioSpecificConfig: configuration.audio)
            {
                announce(parameters, into: &events)
            }
            format = .latm(depacketizer)
        case .mpa(var depacketizer):
            if let found = depacketizer.receive(payload, timestamp: timestamp, into: &units) {
                announce(AudioParameters(found), into: &events)
            }
            format = .mpa(depacketizer)
        case .opus:
            // RFC 6716 3.1: the first byte has the stereo flag.
            let isStereo = (payload.uint8(at: 0) ?? 0) & 4 != 0
            if announced == nil || (isStereo && announced?.channels == 1) {
                announce(AudioParameters(opusChannels: isStereo ? 2 : 1), into: &events)
            }
            let bytes = payload.array(0..<payload.byteCount)
            units.append(AudioUnit(bytes: bytes, ticks: 0, duration: bytes.withSpan { OpusPacket.samples($0) }))
        case .samples(let codec, let channels):
            announce(AudioParameters(codec: codec, sampleRate: 8000, channels: channels), into: &events)
            let samples = Int64(payload.byteCount / channels)
            units.append(AudioUnit(bytes: payload.array(0..<payload.byteCount), ticks: 0, duration: samples))
        }
        guard !units.isEmpty else { return }
        // What ended with the packet before has that packet's time.
        let before = Int64(Int32(bitPattern: header.timestamp &- timestamp))
        emit(timestamp, at: pts &- timeline.scaled(before), &timeline, into: &events)
        units.removeAll(keepingCapacity: true)
    }

    private mutating func emit(
        _ timestamp: UInt32,
        at pts: Int64,
        _ timeline: inout RTPTimeline,
        into events: inout [MediaEvent]
    ) {
        var start = pts
        // A clock that stands still: frames follow each other.
        if timestamp == lastTimestamp, start < end {
            timeline.push(by: end &- start)
            start = end
        }
        lastTimestamp = timestamp
        for unit in units {
            let time = max(start &+ timeline.scaled(unit.ticks), last.map { $0 &+ 1 } ?? .min)
            last = time
            end = time &+ timeline.scaled(unit.duration)
            frames += 1
            let payload = ByteBuffer(bytes: unit.bytes)
            events.append(.frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: payload)))
        }
    }
}

enum OpusPacket {
    /// Samples at 48 kHz of a packet (RFC 6716 3.1, 3.2).
    static func samples(_ packet: RawSpan) -> Int64 {
        guard let first = packet.uint8(at: 0) else { return 0 }
        let configuration = Int(first >> 3)
        let frame: Int =
            switch configuration {
            case 0..<12: [480, 960, 1920, 2880][configuration & 3]
            case 12..<16: [480, 960][configuration & 1]
            default: [120, 240, 480, 960][configuration & 3]
            }
        let count: Int =
            switch first & 3 {
            case 0: 1
            case 1, 2: 2
            default: Int((packet.uint8(at: 1) ?? 0) & 0x3F)
            }
        return Int64(min(frame * count, 5760))
    }
}
