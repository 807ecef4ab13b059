import Media

/// Lets a stream's time go on when another publisher takes it over: players take a jump back for an error and a jump ahead
/// for a hole. The first publisher's times stay as they are.
struct TimestampContinuity {
    /// 40 ms in 90 kHz: one picture at 25 a second.
    private static let step: Int64 = 3600
    /// Pictures are shown so much later than they are decoded at the most, for reckoning.
    private static let maximumDelay: Int64 = 90_000

    /// The last time of the publisher before.
    private let resume: Int64?
    private var offset: Int64?
    /// The greatest time so far, of decoding or, with B-frames, of presentation.
    private(set) var last: Int64?

    init(after resume: Int64?) {
        self.resume = resume
    }

    mutating func apply(to frame: inout Frame) {
        let offset = offset ?? resume.map { $0 &+ Self.step &- frame.dts } ?? max(0, 0 &- frame.dts)
        self.offset = offset
        frame.dts &+= offset
        frame.pts &+= offset
        // Sound may begin a little before the first picture.
        if let resume, frame.dts < resume {
            frame.pts &+= resume &- frame.dts
            frame.dts = resume
        }
        let shown = min(max(frame.pts, frame.dts), frame.dts &+ Self.maximumDelay)
        last = max(last ?? shown, shown)
    }
}
