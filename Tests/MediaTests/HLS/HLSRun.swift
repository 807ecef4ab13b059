import NIOCore
import Testing

@testable import Media

/// A stream that is cut and listed while the rules look at every state of the playlist.
struct HLSRun {
    var configuration: HLSConfiguration
    var segmenter: HLSSegmenter
    var window: HLSWindow
    var rules = HLSRules()
    var actions: [HLSAction] = []
    /// Media time and time of day go together.
    var now = NIODeadline.milliseconds(0)
    var wallClock: Int64 = 1_795_228_433_288
    var playlists: [String] = []

    init(_ configuration: HLSConfiguration, stream: String = "test110") {
        self.configuration = configuration
        let names = HLSNames(stream: stream, prefix: "x7f3")
        segmenter = HLSSegmenter(configuration, names: names)
        window = HLSWindow(configuration, names: names)
    }

    mutating func feed(_ event: MediaEvent, isStart: Bool = false) {
        take { $0.receive(event, startsGOP: isStart, wallClock: $1, into: &$2) }
    }

    mutating func interrupt() { take { segmenter, _, actions in segmenter.interrupt(into: &actions) } }

    mutating func finish() {
        take { segmenter, _, actions in segmenter.finish(into: &actions) }
        window.end()
        look()
    }

    mutating func pass(_ milliseconds: Int) {
        now = now + .milliseconds(Int64(milliseconds))
        wallClock += Int64(milliseconds)
    }

    private mutating func take(_ body: (inout HLSSegmenter, Int64, inout [HLSAction]) -> Void) {
        var new: [HLSAction] = []
        body(&segmenter, wallClock, &new)
        guard !new.isEmpty else { return }
        for action in new {
            if case .opened(let opening) = action, opening.isIndependent { rules.independent.insert(opening.name) }
        }
        actions += new
        window.apply(new, now: now)
        look()
    }

    private mutating func look() {
        guard window.isReady, let text = playlist() else { return }
        playlists.append(text)
        rules.check(text)
    }

    func playlist(_ directives: HLSDirectives = HLSDirectives(), query: String = "") -> String? {
        guard case .playlist(let bytes) = window.answer(directives, query: query, arrived: now, now: now) else {
            return nil
        }
        return String(buffer: bytes)
    }

    var closings: [HLSClosing] {
        actions.compactMap { if case .closed(let closing) = $0 { closing } else { nil } }
    }

    var openings: [HLSOpening] {
        actions.compactMap { if case .opened(let opening) = $0 { opening } else { nil } }
    }

    var parts: [HLSPart] {
        actions.compactMap { if case .part(let part) = $0 { part } else { nil } }
    }
}

/// Pictures and sound of a camera, without an end.
struct HLSCamera {
    /// Of pictures, in 1/90000 s.
    var step: Int64 = 3600
    /// Pictures from one key frame to the next.
    var group = 50
    var jitter: Int64 = 0
    var hasVideo = true
    var hasAudio = true
    var time: Int64 = 0
    private var index = 0
    private var audioTime: Int64 = 0
    private var noise = Noise(state: 7)

    init(step: Int64 = 3600, group: Int = 50, jitter: Int64 = 0, hasVideo: Bool = true, hasAudio: Bool = true) {
        self.step = step
        self.group = group
        self.jitter = jitter
        self.hasVideo = hasVideo
        self.hasAudio = hasAudio
    }

    static let sound = Synthetic.aac

    mutating func announce(_ run: inout HLSRun, video: VideoParameters = Synthetic.h264) {
        if hasVideo { run.feed(.video(video)) }
        if hasAudio { run.feed(.audio(Self.sound)) }
    }

    /// A key frame comes next.
    mutating func startGroup() { index = 0 }

    mutating func run(seconds: Double, _ run: inout HLSRun) {
        let end = time + Int64(seconds * 90_000)
        while time < end {
            if hasVideo {
                let isKey = index % group == 0
                let shake = jitter > 0 ? Int64.random(in: -jitter...jitter, using: &noise) : 0
                let size = isKey ? 900 : 120
                var picture = Synthetic.picture(.h264, index, isKey: isKey, size: size, dts: time + shake)
                picture.pts += 2 * step
                run.feed(.frame(picture), isStart: isKey)
                index += 1
            }
            if hasAudio {
                audioTime = abs(audioTime - time) > 90_000 ? time : audioTime
                while audioTime < time + step {
                    // 1024 samples at 16 kHz.
                    let payload = ByteBuffer(bytes: [0x01, 0x40, 0x20, 0x07, UInt8(truncatingIfNeeded: audioTime / 90)])
                    run.feed(
                        .frame(Frame(track: .audio, dts: audioTime, pts: audioTime, isKey: true, payload: payload))
                    )
                    audioTime += 5760
                }
            }
            time += step
            run.pass(Int(step / 90))
        }
    }
}
