import Wire

/// Timestamps of sound, counted in samples: frames' own times are often whole milliseconds (FLV), and players hear the difference.
struct RTPAudioClock: Sendable {
    /// Own times may differ by this much from the count before they win, in 1/1000 s.
    private static let tolerance: Int64 = 40

    /// Samples a second.
    private(set) var sampleRate: Int
    /// Where the next frame begins, in samples.
    private var next: Int64?
    /// How much the count is ahead of frames' own times, in samples.
    private(set) var lead: Int64 = 0

    init(sampleRate: Int) {
        self.sampleRate = max(sampleRate, 1)
    }

    /// The position of a frame of `samples` in samples; whether it does not follow on the one before.
    mutating func position(pts: Int64, samples: Int) -> (samples: Int64, isBreak: Bool) {
        let own = RTPTicks.convert(pts, from: 90_000, to: sampleRate)
        var position = next ?? own
        let isBreak = next == nil || (position &- own).magnitude > UInt64(Int64(sampleRate) &* Self.tolerance / 1000)
        if isBreak { position = own }
        lead = position &- own
        next = position &+ Int64(samples)
        return (position, isBreak)
    }

    /// Where sound of that time would be, as the count goes.
    func position(pts: Int64) -> Int64 {
        RTPTicks.convert(pts, from: 90_000, to: sampleRate) &+ lead
    }

    /// Another rate, as MP3 frames may tell.
    mutating func change(sampleRate rate: Int) {
        guard rate != sampleRate, rate > 0 else { return }
        self = RTPAudioClock(sampleRate: rate)
    }
}

/// How long frames of sound are.
enum AudioFrameLength {
    /// RFC 6716 3.1: samples of 48 kHz in an Opus packet; 0 when it says nothing.
    static func opus(_ packet: RawSpan) -> Int {
        guard let first = packet.uint8(at: 0) else { return 0 }
        let mode = Int(first >> 3)
        let frame: Int
        switch mode {
        case 0..<12: frame = [480, 960, 1920, 2880][mode & 3]
        case 12..<16: frame = mode & 1 == 0 ? 480 : 960
        default: frame = 120 << (mode & 3)
        }
        switch first & 3 {
        case 0: return frame
        case 1, 2: return frame &* 2
        default: return frame &* Int((packet.uint8(at: 1) ?? 0) & 0x3F)
        }
    }

    /// ISO/IEC 14496-3 4.4.1: 1024 samples, or 960 with frameLengthFlag.
    static func aac(_ configuration: [UInt8]) -> Int {
        var reader = BitReader(configuration)
        guard var type = reader.bits(5) else { return 1024 }
        if type == 31 {
            guard let more = reader.bits(6) else { return 1024 }
            type = 32 &+ more
        }
        guard let rate = reader.bits(4), reader.skip(rate == 15 ? 24 : 0), reader.skip(4) else { return 1024 }
        // With SBR the rate and the object type of the core follow.
        if type == 5 || type == 29 {
            guard let extended = reader.bits(4), reader.skip(extended == 15 ? 24 : 0), let core = reader.bits(5) else {
                return 1024
            }
            type = core
        }
        guard let isShort = reader.flag() else { return 1024 }
        if type == 23 || type == 39 { return isShort ? 480 : 512 }
        return isShort ? 960 : 1024
    }
}
