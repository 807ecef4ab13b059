import NIOCore
import Wire

/// Makes MP4's samples of frames of sound, one after the other without holes as far as that can be: G.711 is cut into FLAC
/// frames, what is missing becomes silence, and what comes too late is dropped.
struct FMP4SoundTrack: Sendable {
    /// Browsers play no further than the shorter track: a camera that announces sound and sends none would freeze the picture
    /// for good. Sound may be this much behind the picture before silence takes its place, in 1/90000 s: enough for a packet
    /// of 128 ms that comes after its pictures and for jitter, and less than what players have buffered.
    static let firstPatience: Int64 = 36_000
    /// Silence is filled in up to this much more, so that the player has its buffer back.
    private static let lead: Int64 = 27_000
    /// Sound that keeps coming too late is waited for longer; in the end there is a stream where sound is this late.
    private static let largestPatience: Int64 = 3 * 90_000
    /// So that what is filled in ends before the sound that is this late, with jitter.
    private static let patienceMargin = lead + 9000

    struct Sample: Sendable {
        /// In samples.
        var start: Int64
        var duration: Int64
        var size: Int
    }

    let sound: FMP4Sound
    /// What is ready to be written, and its bytes in the same order.
    var samples: [Sample] = []
    var bytes = ByteBuffer()

    private var clock: FMP4SoundClock
    /// What is added to frames' times after sound's clock, and not the picture's, has begun anew.
    private var shift: Int64 = 0
    private var jumps = 0
    private var patience = Self.firstPatience
    private var isFilling = false
    /// Where the last silence ended that took the place of missing sound.
    private var filledUntil: Int64?

    /// G.711 that does not make a block yet, and a block of silence.
    private var pending: [UInt8] = []
    private let silentBlock: [UInt8]
    private var frameNumber: UInt32 = 0

    /// - Parameter start: where the track begins, in 1/90000 s; nil: where pictures begin, or with the first frame.
    init(_ sound: FMP4Sound, start: Int64?) {
        self.sound = sound
        clock = FMP4SoundClock(sampleRate: sound.timescale)
        let code: UInt8 = sound.codec == .g711a ? 0xD5 : 0xFF
        silentBlock = sound.isFLAC ? [UInt8](repeating: code, count: FLACFrame.blockSize * sound.channels) : []
        pending.reserveCapacity(silentBlock.count)
        if let start { clock.next = ticks(start) }
    }

    /// The track that takes the place of another in mid-stream: the same one when nothing changes.
    static func continuing(_ track: FMP4SoundTrack?, as sound: FMP4Sound?, _ timeline: FMP4Timeline) -> FMP4SoundTrack?
    {
        guard let sound else { return nil }
        if let track, track.sound == sound { return track }
        return FMP4SoundTrack(sound, start: track?.end ?? timeline.lastVideo.map { $0 &+ timeline.step })
    }

    /// Where the samples have come to, in 1/90000 s; nil before the first.
    var end: Int64? {
        clock.next.map { time($0 &- Int64(pending.count / sound.channels)) }
    }

    func ticks(_ time: Int64) -> Int64 {
        RTPTicks.convert(time, from: FMP4Description.videoTimescale, to: sound.timescale)
    }

    func time(_ ticks: Int64) -> Int64 {
        RTPTicks.convert(ticks, from: sound.timescale, to: FMP4Description.videoTimescale)
    }

    /// Adds the samples of a frame.
    mutating func receive(_ frame: Frame, timeline: inout FMP4Timeline, statistics: inout FMP4Statistics) {
        let length = length(of: frame.payload)
        guard length > 0 else {
            statistics.droppedFrames &+= 1
            return
        }
        let own = place(frame.pts, timeline: &timeline, statistics: &statistics)
        var next = clock.next ?? max(own, 0)
        let correction = clock.correction(own: own, count: next)
        if correction > 0 {
            fillGap(correction, from: &next, statistics: &statistics)
        } else if correction < 0 {
            statistics.lateSounds &+= 1
            if let filledUntil, own < filledUntil, let video = timeline.lastVideo {
                let late = video &- time(own) &+ Self.patienceMargin
                patience = min(max(patience, late), Self.largestPatience)
            }
            guard sound.isFLAC, length &+ correction > 0 else {
                clock.next = next
                return
            }
        }
        isFilling = false
        let span = frame.payload.readableBytesSpan
        if sound.isFLAC {
            let channels = sound.channels
            let skipped = correction < 0 ? Int(0 &- correction) : 0
            append(span.extracting(skipped &* channels..<Int(length) &* channels), from: &next)
        } else {
            samples.append(Sample(start: next, duration: length, size: span.byteCount))
            bytes.writeImmutableBuffer(frame.payload)
            next &+= length
        }
        clock.next = next
    }

    /// Puts silence where the picture has gone on without sound.
    mutating func fill(_ timeline: FMP4Timeline, statistics: inout FMP4Statistics) {
        guard sound.isFLAC || sound.silence != nil, let video = timeline.lastVideo, let start = timeline.videoStart
        else { return }
        var next = clock.next ?? ticks(start)
        let target = ticks(video &- (patience &- Self.lead))
        guard next < ticks(video &- (isFilling ? patience &- Self.lead : patience)) else {
            clock.next = next
            return
        }
        isFilling = true
        if sound.isFLAC {
            // To the end of a block: what waits in half a one would be as good as missing.
            let block = Int64(FLACFrame.blockSize)
            let open = Int64(pending.count / sound.channels)
            let blocks = (target &- next &+ open &+ block &- 1) / block
            fillGap(blocks &* block &- open, from: &next, statistics: &statistics)
        } else {
            appendSilence(until: target, from: &next, statistics: &statistics)
        }
        filledUntil = next
        clock.next = next
    }

    /// Moves on by `gap`, with silence in it.
    private mutating func fillGap(_ gap: Int64, from next: inout Int64, statistics: inout FMP4Statistics) {
        let end = next &+ gap
        if sound.isFLAC {
            let before = samples.count
            let silence = silentBlock
            while next < end {
                let count = min(Int(end &- next), FLACFrame.blockSize) &* sound.channels
                silence.withSpan { append($0.extracting(0..<count), from: &next) }
            }
            statistics.filledSounds &+= max(samples.count &- before, 1)
        } else {
            appendSilence(until: end, from: &next, statistics: &statistics)
            // Less than a frame, which players bridge; or all of it where no silence is known.
            next = end
        }
    }

    private mutating func appendSilence(until end: Int64, from next: inout Int64, statistics: inout FMP4Statistics) {
        guard let silence = sound.silence else { return }
        let length = Int64(sound.silenceLength)
        while length > 0, next &+ length <= end {
            samples.append(Sample(start: next, duration: length, size: silence.count))
            bytes.writeBytes(silence)
            next &+= length
            statistics.filledSounds &+= 1
        }
    }

    // MARK: G.711

    /// Adds G.711, whole samples of all channels.
    private mutating func append(_ span: RawSpan, from next: inout Int64) {
        let block = silentBlock.count
        let start = next &- Int64(pending.count / sound.channels)
        var at = 0
        var blocks: Int64 = 0
        if !pending.isEmpty {
            at = min(block &- pending.count, span.byteCount)
            pending.append(span.extracting(0..<at))
            if pending.count == block {
                // Lent, as a block of ours may not be read while we change; its room comes back.
                var whole: [UInt8] = []
                swap(&whole, &pending)
                whole.withSpan { appendBlock($0, start: start) }
                whole.removeAll(keepingCapacity: true)
                swap(&whole, &pending)
                blocks = 1
            }
        }
        while block > 0, span.byteCount &- at >= block {
            appendBlock(span.extracting(at..<at &+ block), start: start &+ blocks &* Int64(FLACFrame.blockSize))
            at &+= block
            blocks &+= 1
        }
        if at < span.byteCount { pending.append(span.extracting(at..<span.byteCount)) }
        next &+= Int64(span.byteCount / sound.channels)
    }

    private mutating func appendBlock(_ block: RawSpan, start: Int64) {
        let before = bytes.writerIndex
        FLACFrame.write(
            block,
            channels: sound.channels,
            number: frameNumber,
            sampleRate: sound.timescale,
            table: sound.codec == .g711a ? .aLaw : .muLaw,
            into: &bytes
        )
        frameNumber = (frameNumber &+ 1) & 0x7FFF_FFFF
        samples.append(
            Sample(start: start, duration: Int64(FLACFrame.blockSize), size: bytes.writerIndex &- before)
        )
    }

    // MARK: Times

    /// Where the frame says that it belongs, in samples.
    private mutating func place(
        _ pts: Int64,
        timeline: inout FMP4Timeline,
        statistics: inout FMP4Statistics
    ) -> Int64 {
        let time = timeline.place(sound: pts)
        if jumps != timeline.jumps {
            // The picture's clock began anew: sound's most likely with it.
            jumps = timeline.jumps
            shift = 0
        }
        // The first one begins where it says: silence before it is needed only if it keeps us waiting.
        let beginning = FMP4Timeline.isSensible(time) ? max(time, 0) : 0
        let expected = clock.next.map { self.time($0) } ?? timeline.videoStart ?? beginning
        let video = timeline.lastVideo
        if Self.isNear(time &+ shift, expected: expected, video: video) { return ticks(time &+ shift) }
        if shift != 0, Self.isNear(time, expected: expected, video: video) {
            shift = 0
            return ticks(time)
        }
        // Sound goes on where it is, or where the picture is if that is far away.
        var target = expected
        if let video, video &- expected > 90_000 { target = video }
        statistics.timeJumps &+= 1
        shift = target &- time
        return ticks(target)
    }

    private static func isNear(_ time: Int64, expected: Int64, video: Int64?) -> Bool {
        if (time &- expected).magnitude <= UInt64(FMP4Timeline.largestGap) { return true }
        guard let video, time > expected else { return false }
        return (time &- video).magnitude <= UInt64(FMP4Timeline.largestGap)
    }

    /// Samples of each channel in a frame; 0 when that cannot be told.
    private func length(of payload: ByteBuffer) -> Int64 {
        let span = payload.readableBytesSpan
        guard span.byteCount > 0 else { return 0 }
        switch sound.codec {
        case .aac: return Int64(sound.frameLength)
        case .g711a, .g711u: return Int64(span.byteCount / sound.channels)
        case .opus:
            // RFC 6716 3.4: 120 ms at the most.
            let length = AudioFrameLength.opus(span)
            return length <= 5760 ? Int64(length) : 0
        case .mp3:
            guard let header = MP3Header(span) else { return 0 }
            return Int64(header.samples &* sound.timescale / header.sampleRate)
        }
    }
}
