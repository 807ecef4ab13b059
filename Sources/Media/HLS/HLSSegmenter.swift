import NIOCore

/// Cuts one stream into HLS segments of one container. Times of frames decide, never a clock.
package struct HLSSegmenter: Sendable {
    /// Sound is taken for a stream without pictures after so long, in 1/90000 s.
    private static let soundPatience: Int64 = 90_000
    private static let maximumHeldSound = 512
    private static let maximumHeldBytes = 1 << 20
    /// Pictures that stay away so long while sound goes on no longer end segments.
    private static let picturePatience: Int64 = 90_000

    private let configuration: HLSConfiguration
    private let names: HLSNames
    private var cutter: HLSCutter
    private var transportStream = HLSTransportStreamWriter()
    private var parts: HLSPartWriter

    private var video: VideoParameters?
    private var audio: AudioParameters?
    private var carriesVideo = false
    private var carriesAudio = false
    private var description: FMP4Description?

    private var open: HLSOpening?
    private var next = 0
    /// What comes does not continue what was.
    private var isBroken = true
    /// Its times do not, in particular.
    private var timesJump = true
    private var needsStart = true
    private var heldSound: [Frame] = []
    /// The time of the sound that was current at the last picture.
    private var soundAtPicture: Int64?

    private var closed = 0
    private var longest: Int64 = 0
    private var target: HLSTarget?
    /// Which time of day a frame's time is.
    private var anchor: (time: Int64, wallClock: Int64)?

    /// Frames before the first key frame, without known parameters, empty, or of a codec that the container cannot carry.
    package private(set) var droppedFrames = 0
    /// Frames whose time stood still or went back a little.
    package private(set) var movedFrames = 0
    /// Segments that had to begin without a key frame.
    package private(set) var dependentSegments = 0
    /// Parts of a length that is against the rules: the frames came too unevenly.
    package var unevenParts: Int { parts.unevenParts }

    package init(_ configuration: HLSConfiguration, names: HLSNames) {
        self.configuration = configuration
        self.names = names
        cutter = HLSCutter(configuration)
        parts = HLSPartWriter(configuration, names: names)
    }

    /// Appends what the event brings about.
    ///
    /// - Parameters:
    ///   - startsGOP: a decoder can start at this frame.
    ///   - wallClock: now, in milliseconds since 1970.
    package mutating func receive(
        _ event: MediaEvent,
        startsGOP: Bool,
        wallClock: Int64,
        into actions: inout [HLSAction]
    ) {
        switch event {
        case .metadata:
            break
        case .video(let parameters):
            guard parameters != video else { return }
            change(into: &actions)
            video = parameters
            needsStart = true
            describe()
            transportStream.set(event)
        case .audio(let parameters):
            guard parameters != audio else { return }
            // Late sound still belongs to the first segment.
            if audio != nil || closed > 0 { change(into: &actions) }
            audio = parameters
            describe()
            transportStream.set(event)
        case .frame(let frame):
            guard frame.payload.readableBytes > 0 else {
                droppedFrames &+= 1
                return
            }
            receive(frame, startsGOP: startsGOP, wallClock: wallClock, into: &actions)
        }
    }

    /// The publisher is gone and may come back: the open segment ends, and what comes then begins with a discontinuity.
    package mutating func interrupt(into actions: inout [HLSAction]) {
        closeSegment(at: cutter.end, into: &actions)
        isBroken = true
        timesJump = true
        needsStart = true
        soundAtPicture = nil
        heldSound = []
    }

    /// The stream is over. The window has to be told by its `end()` too.
    package mutating func finish(into actions: inout [HLSAction]) {
        interrupt(into: &actions)
        if closed > 0 { promise(into: &actions) }
    }

    private mutating func change(into actions: inout [HLSAction]) {
        if open != nil { closeSegment(at: cutter.end, into: &actions) }
        isBroken = true
    }

    private mutating func describe() {
        switch configuration.container {
        case .transportStream:
            carriesVideo = video.map { TSMuxer.canCarry($0.codec) } ?? false
            carriesAudio = audio.map { TSMuxer.canCarry($0.codec) } ?? false
        case .fragmentedMP4:
            description = FMP4Description(video: video, audio: audio)
            carriesVideo = description?.hasVideo ?? false
            carriesAudio = description?.hasAudio ?? false
        }
        if carriesVideo {
            droppedFrames &+= heldSound.count
            heldSound = []
        }
    }

    private mutating func receive(
        _ frame: Frame,
        startsGOP: Bool,
        wallClock: Int64,
        into actions: inout [HLSAction]
    ) {
        switch frame.track {
        case .video where carriesVideo:
            soundAtPicture = nil
            cut(frame, isStart: startsGOP, wallClock: wallClock, into: &actions)
        case .audio where carriesAudio && carriesVideo:
            accompany(frame, wallClock: wallClock, into: &actions)
        case .audio where carriesAudio:
            guard open == nil, closed == 0 else {
                cut(frame, isStart: true, wallClock: wallClock, into: &actions)
                return
            }
            // Pictures may be about to come.
            heldSound.append(frame)
            let first = heldSound.first?.dts ?? frame.dts
            guard frame.dts &- first >= Self.soundPatience || holdsEnough else { return }
            let held = heldSound
            heldSound = []
            for frame in held { cut(frame, isStart: true, wallClock: wallClock, into: &actions) }
        default:
            droppedFrames &+= 1
        }
    }

    /// A frame by whose time the stream is cut.
    private mutating func cut(
        _ frame: Frame,
        isStart: Bool,
        wallClock: Int64,
        into actions: inout [HLSAction]
    ) {
        if open != nil {
            switch cutter.cut(before: frame.dts, isStart: isStart) {
            case .none:
                guard isFull(with: frame) else { break }
                closeSegment(at: max(frame.dts, cutter.last &+ 1), into: &actions)
            case .plain:
                closeSegment(at: frame.dts, into: &actions)
            case .jump:
                closeSegment(at: cutter.end, into: &actions)
                isBroken = true
                timesJump = true
            }
        }
        if open == nil {
            guard isStart || !needsStart else {
                droppedFrames &+= 1
                return
            }
            openSegment(at: frame.dts, isIndependent: isStart, wallClock: wallClock, into: &actions)
        }
        var frame = frame
        let time = cutter.advance(to: frame.dts)
        if time != frame.dts {
            movedFrames &+= 1
            frame.dts = time
            frame.pts = max(frame.pts, time)
        }
        append(frame, isTimed: true, isStart: isStart, into: &actions)
    }

    /// Sound beside pictures: it goes into the segment that is open when it comes, and never cuts as long as there are pictures.
    private mutating func accompany(_ frame: Frame, wallClock: Int64, into actions: inout [HLSAction]) {
        guard open != nil else {
            droppedFrames &+= 1
            return
        }
        let anchor = soundAtPicture ?? frame.dts
        soundAtPicture = anchor
        let silence = frame.dts &- anchor
        if isFull(with: frame) {
            // Whatever its times say: a segment has a size.
            let end = max(cutter.last &+ 1, min(cutter.end, cutter.latestEnd))
            closeSegment(at: end, into: &actions)
            openSegment(at: end, isIndependent: false, wallClock: wallClock, into: &actions)
            soundAtPicture = frame.dts
        } else if silence > Self.picturePatience {
            // Its own time is that of another clock, perhaps: only its progress counts.
            let time = cutter.last &+ min(silence, configuration.longestSegment)
            if cutter.mustEnd(at: time) {
                let end = min(time, cutter.latestEnd)
                closeSegment(at: end, into: &actions)
                openSegment(at: end, isIndependent: false, wallClock: wallClock, into: &actions)
                soundAtPicture = frame.dts
            } else if configuration.container == .fragmentedMP4 {
                parts.advance(to: time, into: &actions)
            }
        }
        append(frame, isTimed: false, isStart: false, into: &actions)
    }

    private var holdsEnough: Bool {
        heldSound.count >= Self.maximumHeldSound
            || heldSound.reduce(0) { $0 &+ $1.payload.readableBytes } >= Self.maximumHeldBytes
    }

    private func isFull(with frame: Frame) -> Bool {
        let size = configuration.container == .transportStream ? transportStream.byteCount : parts.byteCount
        return size > 0 && size &+ frame.payload.readableBytes > configuration.maximumSegmentBytes
    }

    private mutating func append(_ frame: Frame, isTimed: Bool, isStart: Bool, into actions: inout [HLSAction]) {
        switch configuration.container {
        case .transportStream: transportStream.append(frame)
        case .fragmentedMP4: parts.append(frame, isTimed: isTimed, isStart: isStart, into: &actions)
        }
    }

    private mutating func openSegment(
        at time: Int64,
        isIndependent: Bool,
        wallClock: Int64,
        into actions: inout [HLSAction]
    ) {
        let date = date(of: time, wallClock: wallClock)
        let number = next
        let isTransportStream = configuration.container == .transportStream
        let opening = HLSOpening(
            number: number,
            name: isTransportStream ? names.transportStream(number, wallClock: date) : names.segment(number),
            wallClock: date,
            isDiscontinuous: isBroken,
            isIndependent: isIndependent
        )
        cutter.begin(at: time, isIndependent: isIndependent)
        if !isIndependent { dependentSegments &+= 1 }
        if isTransportStream {
            transportStream.begin()
            actions.append(.opened(opening))
        } else if let description {
            parts.begin(opening, at: time, description, jumps: timesJump, into: &actions)
        }
        open = opening
        next &+= 1
        isBroken = false
        timesJump = false
        needsStart = false
    }

    private mutating func closeSegment(at time: Int64, into actions: inout [HLSAction]) {
        guard let opening = open else { return }
        open = nil
        let bytes =
            configuration.container == .transportStream
            ? transportStream.end()
            : parts.end(at: time, description, into: &actions)
        let duration = max(time &- cutter.start, 1)
        actions.append(
            .closed(HLSClosing(number: opening.number, name: opening.name, duration: duration, bytes: bytes))
        )
        closed &+= 1
        longest = max(longest, duration)
        if closed >= configuration.minimumSegments { promise(into: &actions) }
    }

    /// What the first playlist says holds for its life.
    private mutating func promise(into actions: inout [HLSAction]) {
        guard target == nil else { return }
        let seconds = HLSCutter.targetSeconds(fragment: configuration.fragment, longest: longest)
        cutter.promise(seconds: seconds)
        let rate = parts.step.flatMap { carriesVideo ? 90_000 / Double($0) : nil }
        let target = HLSTarget(seconds: seconds, part: parts.target?.longest ?? 0, frameRate: rate)
        self.target = target
        actions.append(.target(target))
    }

    /// Times of day follow the times of frames, so that they agree with the durations. The camera's clock is not ours: a
    /// millisecond a segment keeps them together.
    private mutating func date(of time: Int64, wallClock: Int64) -> Int64 {
        guard let anchor, !timesJump else {
            self.anchor = (time, wallClock)
            return wallClock
        }
        let date = anchor.wallClock &+ (time &- anchor.time) / 90
        let corrected = date &+ min(max(wallClock &- date, -1), 1)
        self.anchor = (time, corrected)
        return corrected
    }
}
