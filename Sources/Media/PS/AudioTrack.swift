import NIOCore
import Wire

/// Puts the audio of one session together: bytes of PES packets in, parameters and whole codec frames out.
package struct AudioTrack {
    package struct Statistics: Equatable, Sendable {
        package var frames = 0
        /// Bytes between AAC frames that were none.
        package var skippedBytes = 0
        /// Packets that came before it was known what they are.
        package var undecided = 0
        /// The map said G.711, the bits AAC, or the like.
        package var codecCorrections = 0
    }

    private static let largestBuffer = 128 << 10
    /// Packets without a map or an ADTS header after which the default is taken.
    private static let packetsToWait = 25
    /// The first packets after each declaration are looked at more closely.
    private static let packetsToSniff = 8

    private let fallback: AudioCodec
    private var declared: AudioCodec?
    private var bytes: [UInt8] = []
    private var mark: (offset: Int, pts: UInt64)?
    private var packets = 0
    private var clock = AudioClock()
    private var announced: AudioParameters?
    package private(set) var codec: AudioCodec?
    package private(set) var statistics = Statistics()
    /// The last picture's DTS and clock offset.
    var picture: (dts: Int64, offset: Int64)?

    /// - Parameter fallback: what a stream is taken for that no map declares and that is not ADTS.
    package init(fallback: AudioCodec = .g711a) {
        self.fallback = fallback
    }

    /// The offset of the clock, when its stamps run with the picture's.
    var clockOffset: Int64? {
        clock.pace == .ticks90k ? clock.offset : nil
    }

    /// What the container's map says.
    package mutating func declare(_ codec: AudioCodec) {
        guard declared != codec else { return }
        declared = codec
        self.codec = codec
        packets = 0
        bytes.removeAll(keepingCapacity: true)
        mark = nil
    }

    /// A PES packet begins.
    package mutating func begin(pts: UInt64?) {
        if let pts { mark = (bytes.count, pts) }
    }

    package mutating func append(_ part: RawSpan) {
        if bytes.count + part.byteCount > Self.largestBuffer {
            statistics.skippedBytes += bytes.count
            bytes.removeAll(keepingCapacity: true)
            mark = nil
        }
        bytes.append(part.extracting(0..<min(part.byteCount, Self.largestBuffer)))
    }

    /// A PES packet ended.
    package mutating func end(into events: inout [MediaEvent]) {
        guard !bytes.isEmpty else { return }
        packets += 1
        if packets <= Self.packetsToSniff || codec == nil { sniff() }
        switch codec {
        case .aac: emitADTS(into: &events)
        case .g711a, .g711u:
            emit(0..<bytes.count, samples: bytes.count, rate: 8000, pts: mark?.pts, into: &events)
            bytes.removeAll(keepingCapacity: true)
        case .opus, .mp3, nil:
            statistics.undecided += 1
            bytes.removeAll(keepingCapacity: true)
        }
        if bytes.isEmpty { mark = nil }
    }

    /// Packets are missing: a partial frame is of no use, the next one is.
    package mutating func discontinuity() {
        bytes.removeAll(keepingCapacity: true)
        mark = nil
    }

    /// One RTP packet of G.711, not in a program stream.
    mutating func receive(_ payload: RawSpan, _ codec: AudioCodec, pts: UInt64, into events: inout [MediaEvent]) {
        self.codec = codec
        discontinuity()
        begin(pts: pts)
        append(payload)
        packets = Self.packetsToSniff
        end(into: &events)
    }

    /// Dahua declares G.711 and sends ADTS; others have no map. Two headers in a row, or one that fits, are AAC.
    private mutating func sniff() {
        let looksLikeADTS = bytes.withSpan { span in
            guard let header = ADTSHeader(span) else { return false }
            return header.frameLength == span.byteCount || ADTSHeader(span, at: header.frameLength) != nil
        }
        if looksLikeADTS {
            if let codec, codec != .aac { statistics.codecCorrections += 1 }
            codec = .aac
        } else if codec == nil, packets >= Self.packetsToWait {
            codec = fallback
        }
    }

    private mutating func emitADTS(into events: inout [MediaEvent]) {
        var at = 0
        while let header = bytes.withSpan({ ADTSHeader($0, at: at) }) ?? resynchronise(&at) {
            let end = at + header.frameLength
            guard end <= bytes.count else { break }
            let parameters = AudioParameters(header)
            if parameters != announced {
                announced = parameters
                events.append(.audio(parameters))
            }
            var pts: UInt64?
            if let mark, mark.offset <= at {
                pts = mark.pts
                self.mark = nil
            }
            emit(
                at + header.headerLength..<end,
                samples: header.samples,
                rate: header.sampleRate,
                pts: pts,
                into: &events
            )
            at = end
        }
        guard at > 0 else { return }
        if let mark { self.mark = (max(mark.offset - at, 0), mark.pts) }
        bytes.removeFirst(min(at, bytes.count))
    }

    /// Moves `at` to the next header; nil when more bytes are needed to see one.
    private mutating func resynchronise(_ at: inout Int) -> ADTSHeader? {
        let from = at
        let found: ADTSHeader? = bytes.withSpan { span in
            while span.byteCount - at >= 7 {
                if let header = ADTSHeader(span, at: at) { return header }
                guard let next = span.firstOffset(of: 0xFF, from: at + 1) else {
                    at = span.byteCount
                    return nil
                }
                at = next
            }
            return nil
        }
        statistics.skippedBytes += at - from
        return found
    }

    private mutating func emit(
        _ range: Range<Int>,
        samples: Int,
        rate: Int,
        pts: UInt64?,
        into events: inout [MediaEvent]
    ) {
        if let codec, codec != .aac {
            let parameters = AudioParameters(codec: codec, sampleRate: 8000, channels: 1)
            if parameters != announced {
                announced = parameters
                events.append(.audio(parameters))
            }
        }
        let duration = Int64(samples) * 90_000 / Int64(rate)
        let time = clock.next(pts: pts, duration: duration, sampleRate: rate, video: picture)
        statistics.frames += 1
        var payload = ByteBufferAllocator().buffer(capacity: range.count)
        bytes.withSpan { span in
            unsafe span.extracting(range).withUnsafeBytes { unsafe _ = payload.writeBytes($0) }
        }
        events.append(.frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: payload)))
    }
}
