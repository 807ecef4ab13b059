internal import Media

/// The file that a recorder fills, as its loop knows it.
struct RecordedFile {
    let number: Int
    /// The time of the stream that is 0 in the file.
    let origin: Int64
    /// Time of the first frame.
    let first: Int64
    /// Handed to the writer.
    var bytes = 0
    private var end: Int64
    private var wallEnd: Int64
    private var firstKey: Int64?
    private var lastKey: Int64?
    private let codecs: String
    private var times = TrackTimes()

    init(number: Int, origin: Int64, first: Int64, now: Int64, codecs: String) {
        self.number = number
        self.origin = origin
        self.first = first
        self.codecs = codecs
        end = first
        wallEnd = now
    }

    mutating func note(_ frame: Frame, isKey: Bool, now: Int64) {
        let step = min(max(times.stepAhead(frame) ?? 0, 0), 90_000)
        times.note(frame)
        end = max(end, frame.dts &+ step)
        wallEnd = now
        guard isKey else { return }
        let at = (frame.dts &- first) / 90
        firstKey = firstKey ?? at
        lastKey = at
    }

    /// In 1/90000 s, up to a frame that came now.
    func duration(at frame: Frame) -> Int64 { frame.dts &- first }

    /// - Parameter next: the time of the frame that the next file begins with.
    func progress(to next: Int64? = nil) -> FileProgress {
        FileProgress(
            durationMilliseconds: max(0, (next ?? end) &- first) / 90,
            endMilliseconds: wallEnd,
            firstKeyMilliseconds: firstKey,
            lastKeyMilliseconds: lastKey,
            codecs: codecs
        )
    }
}

/// Where the two tracks stand, in 1/90000 s.
struct TrackTimes {
    private var video: Int64?
    private var audio: Int64?
    private var audioStep: Int64 = 0

    mutating func note(_ frame: Frame) {
        switch frame.track {
        case .video: video = frame.dts
        case .audio:
            if let audio { audioStep = min(max(frame.dts &- audio, 0), 90_000) }
            audio = frame.dts
        }
    }

    /// When sound goes on, if it goes on as before.
    var nextSound: Int64? { audio.map { $0 &+ audioStep } }

    func stepAhead(_ frame: Frame) -> Int64? {
        (frame.track == .video ? video : audio).map { frame.dts &- $0 }
    }

    func stepBack(_ frame: Frame) -> Int64? { stepAhead(frame).map { 0 &- $0 } }
}

/// When a file is ended.
struct CuttingRules {
    private static let usualSegment: Int64 = 6 * 90_000

    let keepsTimes: Bool
    /// HLS: a step of time that ends a segment wherever it is; 0 = none does.
    let jumpAhead: Int64
    private let duration: Int64
    private let bytes: Int

    init(_ options: RecordingOptions, format: RecordingFormat) {
        keepsTimes = options.keepsTimes && (format == .flv || format == .ts)
        let seconds = Int64(clamping: min(max(0, options.segmentSeconds), 1 << 30)) * 90_000
        duration = seconds == 0 && format == .hls ? Self.usualSegment : seconds
        bytes = min(max(0, options.segmentMegabytes), 1 << 30) << 20
        jumpAhead = format == .hls ? duration * 10 : 0
    }

    func isDue(_ file: RecordedFile, at frame: Frame, bytes written: Int) -> Bool {
        duration > 0 && file.duration(at: frame) >= duration || bytes > 0 && written >= bytes
    }
}

extension MediaEvent {
    /// Whose parameters these are.
    var track: TrackKind? {
        switch self {
        case .video: .video
        case .audio: .audio
        case .frame, .metadata: nil
        }
    }
}
