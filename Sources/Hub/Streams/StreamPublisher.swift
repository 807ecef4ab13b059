package import Media
package import NIOCore

/// The input of one stream. It belongs to the event loop that it was made on: all members are to be used there.
///
/// It turns media events into FLV messages and appends them to the byte log of each format that has a viewer; without
/// viewers to one log, from which that of the first viewer's format is made.
package final class StreamPublisher {
    /// A longer frame is dropped.
    package static let maximumFrame = 8 * 1024 * 1024
    /// Of a stream that nobody watches: its cache may be so much behind.
    private static let idlePatience = TimeAmount.milliseconds(40)

    package let stream: String
    package let app: String
    package let session: SessionInfo
    package let loop: any EventLoop
    /// Frames that went nowhere: before the first key frame, without parameters, too long, or after another publisher has
    /// taken the stream over.
    package var droppedFrames = 0

    let dispatcher: LoopDispatcher
    let registry: StreamRegistry
    let gate = PublicationGate()
    /// Greater than that of any publisher of the stream before.
    private(set) var number = 0
    var meter = ByteMeter()
    var isUnflushed = false
    private(set) var isFinished = false
    private var onKick: ((PublisherEnd) -> Void)?

    // What comes in.
    private var dummyAudio: DummyAudio?
    /// nil once the tracks are known.
    private var settlement: TrackSettlement? = TrackSettlement()
    private var timestamps = TimestampContinuity(after: nil)
    private(set) var video: VideoParameters?
    private(set) var audio: AudioParameters?

    // What goes out, see StreamPublisher+Logs.swift, +Messages.swift and +RTP.swift.
    var packagers = Packagers()
    /// One at least from the first message on, one for each format with readers that can carry the codec.
    var logs: [ByteLog] = []
    /// Of the formats that consist of FLV messages.
    var readers: [StreamRegistry.Reader] = []
    /// What RTSP readers get, see StreamPublisher+RTP.swift; nil until it is known what there is.
    var rtp: RTPOutput?
    /// RTSP readers that came before.
    var earlyReaders: [StreamRegistry.Reader] = []
    /// MPEG-TS and fMP4, see StreamPublisher+Frames.swift: one for each form that has readers.
    var outputs: [FrameOutput] = []
    var frameReaders: [StreamRegistry.Reader] = []
    var taps: [any StreamTap] = []
    /// Where the packets of the publisher before stood.
    var continuity: RTPContinuity?
    var frameRate = FrameRateRing()
    /// Time of the newest key frame in milliseconds, nil until there was one.
    var keyTime: UInt32?
    var hasPicture = false
    /// Nothing is appended up to the next key frame: the cache of a stream without viewers is full, or memory is short.
    var isPaused = false
    /// The cache was dropped for want of memory, and is not made anew before there is some.
    var isShed = false

    init(
        stream: String,
        app: String,
        session: SessionInfo,
        dispatcher: LoopDispatcher,
        onKick: @escaping (PublisherEnd) -> Void
    ) {
        self.stream = stream
        self.app = app
        self.session = session
        self.dispatcher = dispatcher
        self.onKick = onKick
        loop = dispatcher.loop
        registry = dispatcher.registry
        dummyAudio = registry.configuration.dummyAudioWait.map { DummyAudio(wait: $0.nanoseconds / 1000 * 9 / 100) }
    }

    var isSettled: Bool { settlement == nil }
    private(set) var isReleasing = false

    /// Begins with the viewers that wait.
    func start(_ entrance: StreamRegistry.Entrance) {
        number = entrance.number
        readers = entrance.readers.filter { !$0.format.framing.isRTP && !$0.format.framing.isOfFrames }
        frameReaders = entrance.readers.filter { $0.format.framing.isOfFrames }
        earlyReaders = entrance.readers.filter { $0.format.framing.isRTP }
        timestamps = TimestampContinuity(after: entrance.memory.lastTime)
        continuity = entrance.memory.continuity
        gate.inherit(entrance.memory.headers)
        dispatcher.publishers.append(self)
        dispatcher.startWatch()
        for tap in registry.makeTaps(tapped, loop) { add(tap) }
    }

    /// Takes what an input has demuxed, in order.
    /// - Parameter waited: how long it may have lain with the input: so much less it waits here to be sent together.
    package func receive(_ events: [MediaEvent], waited: TimeAmount = .nanoseconds(0)) {
        loop.assertInEventLoop()
        for event in events { take(event) }
        announce(waited: waited)
    }

    /// How long an input may let bytes lie before it reads them: nobody watches, or they would be sent together anyway.
    ///
    /// A quarter more than the window: what is read together has waited half of that on the average and is sent at once, whereas
    /// the window begins with the first message and most of a stream's bytes wait for all of it.
    package var patience: TimeAmount {
        readers.isEmpty && outputs.isEmpty && rtp?.readers.isEmpty != false
            ? Self.idlePatience : .nanoseconds(dispatcher.window.nanoseconds &* 5 / 4)
    }

    package func receive(_ event: MediaEvent) {
        loop.assertInEventLoop()
        take(event)
        announce()
    }

    private func take(_ event: MediaEvent) {
        guard !isFinished else { return }
        guard dummyAudio != nil else {
            settle(event)
            return
        }
        var events: [MediaEvent] = []
        dummyAudio?.receive(event, into: &events)
        for event in events { settle(event) }
    }

    private func settle(_ event: MediaEvent) {
        guard settlement != nil else {
            process(event)
            return
        }
        guard settlement?.receive(event) == true, let held = settlement?.release() else { return }
        release(held)
    }

    private func release(_ held: [MediaEvent]) {
        settlement = nil
        // Of all tracks at once, or who waits for the description is told of the first one.
        isReleasing = true
        for event in held { process(event) }
        isReleasing = false
        shareTracks()
        beginReaders()
    }

    /// The input knows which tracks are to come: nothing else is waited for.
    func expect(video: Bool, audio: Bool) {
        settlement?.expect(video: video, audio: audio)
    }

    private func process(_ event: MediaEvent) {
        guard !gate.isClosed else {
            if case .frame = event { droppedFrames &+= 1 }
            return
        }
        switch event {
        case .video(let parameters):
            let before = forms
            let codecChanged = video.map { $0.codec != parameters.codec } ?? false
            video = parameters
            gate.video = parameters.codec
            shareTracks()
            changeHeaders(event, restarts: codecChanged || forms != before)
            tellOutputs(event, isOtherCodec: codecChanged)
            changeDescription(parameters)
        case .audio(let parameters):
            let before = forms
            audio = parameters
            shareTracks()
            changeHeaders(event, restarts: forms != before)
            tellOutputs(event, isOtherCodec: false)
            changeDescription()
        case .metadata:
            changeHeaders(event, restarts: false)
            tellOutputs(event, isOtherCodec: false)
        case .frame(var frame):
            guard frame.payload.readableBytes <= Self.maximumFrame else {
                droppedFrames &+= 1
                return
            }
            let last = timestamps.last
            timestamps.apply(to: &frame)
            guard gate.pass(after: last, to: timestamps.last) else {
                droppedFrames &+= 1
                return
            }
            append(frame)
        }
    }

    /// Of all tracks at once: half of them would be wrong.
    private func shareTracks() {
        guard !isReleasing else { return }
        gate.tracks = PublicationGate.Tracks(video: video, audio: audio)
    }

    /// Sees to it that what is new goes out.
    private func announce(waited: TimeAmount = .nanoseconds(0)) {
        guard !isFinished else { return }
        let watched = watchedLogs
        guard watched.contains(where: \.hasChanges) else { return }
        if !isUnflushed {
            isUnflushed = true
            dispatcher.scheduleFlush(of: self, waited: waited)
        }
        let merged = registry.configuration.mergeWriteBytes
        if merged > 0, watched.contains(where: { $0.untold >= merged }) { dispatcher.flushSoon() }
    }

    /// Bytes that the session has received or sent, for the statistics.
    package func count(readBytes: Int, wroteBytes: Int = 0) {
        gate.count(readBytes: readBytes, wroteBytes: wroteBytes)
    }

    /// Ends the publication. Viewers stay and wait for the next one as long as the grace period is.
    package func finish() {
        loop.assertInEventLoop()
        guard !isFinished else { return }
        // A stream that was too short to settle is not lost.
        if let held = settlement?.release(), !held.isEmpty {
            release(held)
        }
        isFinished = true
        onKick = nil
        for output in outputs { output.finish() }
        flush { $0.deliver([$1]) }
        dispatcher.publishers.removeAll { $0 === self }
        registry.publisherLeft(self)
        forgetReaders()
        dispatcher.checkEmpty()
    }

    /// Asks the owner to end the session.
    func end(_ reason: PublisherEnd) {
        let body = onKick
        onKick = nil
        body?(reason)
    }

    /// Another publisher has taken the stream over: what was written goes out where it is still in time, and nothing is kept
    /// until the owner has closed its session.
    func giveWay(to other: String) {
        guard !isFinished else { return }
        for output in outputs { output.finish() }
        flush { $0.deliver([$1]) }
        settlement = nil
        forgetReaders()
        end(.takenOver(by: other))
    }

    private func forgetReaders() {
        readers = []
        logs = []
        earlyReaders = []
        rtp = nil
        frameReaders = []
        outputs = []
        removeTaps { _ in true }
    }

    func measure(seconds: Int) {
        updateMeter()
        meter.measure(seconds: seconds)
    }

    private func updateMeter() {
        meter.readBytes = gate.readBytes
        meter.wroteBytes = gate.wroteBytes
    }

    func snapshot(at unixSecond: Int64) -> StreamSnapshot {
        updateMeter()
        return StreamSnapshot(
            name: stream,
            app: app,
            video: video,
            audio: audio,
            publisher: SessionSnapshot(info: session, bytes: meter),
            framesPerSecond: frameRate.finished(before: unixSecond),
            cacheBytes: (logs + outputs.map(\.log)).reduce(rtp?.memory ?? 0) { $0 + $1.memory },
            droppedFrames: droppedFrames
        )
    }
}
