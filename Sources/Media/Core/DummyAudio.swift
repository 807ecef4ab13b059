import NIOCore

/// Adds silence to a stream that has no sound: some players wait for it, and some recorders cannot do without.
///
/// Events are held until it is clear that there is no sound. From then on there is AAC-LC silence up to the time of each
/// picture, and sound that comes after all is dropped: a stream does not change its codec for it.
package struct DummyAudio: Sendable {
    /// AAC-LC, 48 kHz, stereo.
    package static let parameters = AudioParameters(
        codec: .aac,
        sampleRate: 48_000,
        channels: 2,
        configuration: [0x11, 0x90]
    )
    /// One frame of silence: 1024 samples.
    static let silence: [UInt8] = [0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C]
    /// More events than this are not held, whatever their time.
    package static let maximumHeld = 256
    private static let maximumHeldBytes = 4 << 20
    /// 1024 samples are 21 1/3 ms: whole milliseconds that do not drift.
    private static let steps: [Int64] = [21 * 90, 21 * 90, 22 * 90]
    /// Pictures further apart are a jump of time, not a gap to fill.
    private static let largestGap: Int64 = 10 * 90_000

    private enum State {
        case waiting
        case passing
        case filling
    }

    /// Sound that came after the decision that there is none.
    package private(set) var droppedFrames = 0

    private let wait: Int64
    private var state = State.waiting
    private var held: [MediaEvent] = []
    private var heldBytes = 0
    private var firstPicture: Int64?
    /// When the next frame of silence is due, and which step follows it.
    private var next: Int64?
    private var step = 0

    /// - Parameter wait: how much video time, in 1/90000 s, sound may come late.
    package init(wait: Int64) {
        self.wait = wait
    }

    /// Appends what can be passed on now: nothing while waiting, then all that was held.
    package mutating func receive(_ event: MediaEvent, into events: inout [MediaEvent]) {
        switch state {
        case .passing:
            events.append(event)
        case .filling:
            fill(event, into: &events)
        case .waiting:
            held.append(event)
            guard let decided = decide(event) else { return }
            state = decided
            let all = held
            held = []
            for event in all { receive(event, into: &events) }
        }
    }

    /// What the event tells; nil while it tells nothing yet.
    private mutating func decide(_ event: MediaEvent) -> State? {
        switch event {
        case .audio: return .passing
        case .frame(let frame) where frame.track == .audio: return .passing
        case .frame(let frame):
            let first = firstPicture ?? frame.dts
            firstPicture = first
            heldBytes &+= frame.payload.readableBytes
            if frame.dts &- first >= wait || heldBytes > Self.maximumHeldBytes { return .filling }
        case .video, .metadata: break
        }
        return held.count >= Self.maximumHeld ? .filling : nil
    }

    private mutating func fill(_ event: MediaEvent, into events: inout [MediaEvent]) {
        switch event {
        case .audio:
            return
        case .frame(let frame) where frame.track == .audio:
            droppedFrames &+= 1
            return
        case .video:
            events.append(.audio(Self.parameters))
        case .frame(let frame):
            appendSilence(upTo: frame.dts, into: &events)
        case .metadata:
            break
        }
        events.append(event)
    }

    private mutating func appendSilence(upTo time: Int64, into events: inout [MediaEvent]) {
        var due = next ?? time
        if abs(time &- due) > Self.largestGap { due = time }
        while due <= time {
            let payload = ByteBuffer(bytes: Self.silence)
            events.append(.frame(Frame(track: .audio, dts: due, pts: due, isKey: true, payload: payload)))
            due &+= Self.steps[step]
            step = (step &+ 1) % Self.steps.count
        }
        next = due
    }
}
