package import Media
internal import NIOCore
internal import Synchronization

/// Records one publication of a stream in one format.
///
/// It belongs to the event loop of its publisher: all members are to be used there, and none of them waits. It muxes, cuts into
/// files at key frames, and leaves whole fragments to a writer on the pool. When the disk does not follow, or refuses, frames
/// are dropped up to a key frame and counted; the stream is not touched.
package final class Recorder {
    /// Handed to the writer when there is so much,
    private static let chunkBytes = 128 << 10
    /// or it is so old, in milliseconds of wall time: with `tick` it is with the system within a second.
    private static let chunkAge: Int64 = 500
    /// A fragment of MP4 is no longer than that, in 1/90000 s; one that no frame ends waits so many milliseconds.
    private static let longestFragment: Int64 = 45_000
    private static let fragmentAge: Int64 = 900
    /// Between two complaints about a slow disk, in milliseconds.
    private static let complaintInterval: Int64 = 60_000
    /// A time that goes back by more than that begins a new file; of HLS one that jumps ahead by more than ten segments, too.
    private static let longestStepBack: Int64 = 90_000
    /// Bytes that a container may add to a frame.
    private static let overhead = 1_024

    package var id: RecordingID { session.id }
    package var format: RecordingFormat { session.format }
    /// It takes nothing any more: finished, or stopped by the API. It is to be detached.
    package private(set) var isFinished = false

    private let session: RecordingSession
    /// Another recorder may take the recording over, with the next publication.
    private let generation: Int
    private let writer: RecordingWriter
    private let cutting: CuttingRules
    private let flvForm: FLVHEVCFormat
    private let queueLimit: Int
    private let budget: RecordingBudget
    private let clock: @Sendable () -> Int64

    private var tracks = RecordedTracks()
    private var omitted: Set<TrackKind> = []
    private var file: RecordedFile?
    private var muxer: (any ContainerMuxer)?
    private var hasBegun = false
    /// HLS: from 0 in each publication.
    private var segmentCount = 0

    // Bytes on their way to the writer.
    private var chunk = ByteBuffer()
    private var chunkFrames = 0
    private var chunkSince: Int64 = 0
    private var heldFrames = 0

    /// A new file is due at the next start; frames of these tracks do not fit into this one.
    private var isDue = false
    private var unfitting: Set<TrackKind> = []
    /// The queue was full: nothing is taken up to the next start that finds room.
    private var isSkipping = false
    private var droppedBeforeSkip = 0
    private var complainedAt = -Recorder.complaintInterval
    private var complains = false
    /// Frames are missing, or times jump, between the last segment and the next.
    private var isDiscontinuous = true
    private var changesSegment = false
    private var last = TrackTimes()

    init(
        session: RecordingSession,
        generation: Int,
        configuration: RecordingConfiguration,
        budget: RecordingBudget,
        clock: @escaping @Sendable () -> Int64
    ) {
        self.session = session
        self.budget = budget
        self.clock = clock
        writer = session.writer
        self.generation = generation
        cutting = CuttingRules(session.options, format: session.format)
        flvForm = configuration.flvForm
        queueLimit = configuration.queueBytes
    }

    deinit { finish() }

    // MARK: What comes in

    /// Takes an event of the stream: all of them, in order, from its parameters on.
    /// - Parameter startsGOP: the frame is a picture where a decoder can start, and a file may. Without video every frame of
    ///   sound is one, whatever this says.
    package func receive(_ event: MediaEvent, startsGOP: Bool) {
        guard !isFinished else { return }
        guard session.wants(generation) else { return finish() }
        switch event {
        case .frame(let frame):
            take(frame, startsGOP: startsGOP && frame.track == .video)
            return
        case .video(let parameters):
            if let before = tracks.video, before != parameters { noteChange() }
            tracks.video = parameters
        case .audio(let parameters):
            if let before = tracks.audio, before != parameters { noteChange() }
            tracks.audio = parameters
        case .metadata(let metadata):
            tracks.metadata = metadata
        }
        noteOmissions()
        guard let muxer, file != nil else { return }
        guard muxer.canContinue(with: carried) else {
            isDue = true
            if let track = event.track { unfitting.insert(track) }
            return
        }
        isDue = changesSegment
        unfitting = []
        if event.track.map(omitted.contains) != true { muxer.receive(event, into: &chunk) }
    }

    /// HLS: other parameters begin with a segment, and players are told (RFC 8216 4.3.2.3).
    private func noteChange() {
        guard session.format == .hls, file != nil else { return }
        changesSegment = true
    }

    /// To be called about twice a second: hands over what lies here when no frames come.
    package func tick() {
        guard !isFinished else { return }
        guard session.wants(generation) else { return finish() }
        let now = clock()
        let age = session.format == .fmp4 ? Self.fragmentAge : Self.chunkAge
        guard file != nil, now &- chunkSince >= age || now < chunkSince else { return }
        handOver(nextVideoDTS: nil)
    }

    /// The publication ended, or the recording is to: the file is closed. It never takes anything again.
    package func finish() {
        guard !isFinished else { return }
        isFinished = true
        closeFile(nextStart: nil)
        session.recorderFinished(generation)
    }

    // MARK: Frames

    private var hasPictures: Bool { tracks.video != nil && !omitted.contains(.video) }

    private var carried: RecordedTracks {
        var carried = tracks
        if omitted.contains(.video) { carried.video = nil }
        if omitted.contains(.audio) { carried.audio = nil }
        return carried
    }

    private func take(_ frame: Frame, startsGOP: Bool) {
        guard frame.payload.readableBytes > 0, !omitted.contains(frame.track) else { return }
        let now = clock()
        let isStart = startsGOP || !hasPictures || (!hasBegun && cutting.keepsTimes)
        if let file, writer.isBroken(file.number) { giveUpFile() }
        if file != nil, let back = last.stepBack(frame), back > Self.longestStepBack { closeAtJump() }
        if let file, cutting.jumpAhead > 0, let ahead = last.stepAhead(frame), ahead > cutting.jumpAhead {
            // A segment that holds the gap would be longer than the playlist allows.
            closeFile(nextStart: nil)
            isDiscontinuous = true
            guard begin(frame, now: now, after: file) else { return drop(frame) }
        } else if isStart {
            guard startFile(frame, now: now) else { return drop(frame) }
        }
        guard let file, !isSkipping || isStart, !unfitting.contains(frame.track) else {
            // What comes before the first key frame is of no use to anybody and does not count.
            if hasBegun { drop(frame) }
            return
        }
        guard hasRoom(frame) else {
            skip(frame)
            return
        }
        if isSkipping { caughtUp() }
        mux(frame, startsGOP: startsGOP, into: file, now: now)
    }

    /// Whether there is a file for a frame that may begin one.
    private func startFile(_ frame: Frame, now: Int64) -> Bool {
        guard let file else { return begin(frame, now: now, after: nil) }
        guard isDue || cutting.isDue(file, at: frame, bytes: file.bytes &+ chunk.readableBytes) else { return true }
        // With the queue full the old file stays, it can be ended later.
        guard hasRoom(frame) else { return true }
        closeFile(nextStart: frame)
        if changesSegment { isDiscontinuous = true }
        return begin(frame, now: now, after: file)
    }

    private func begin(_ frame: Frame, now: Int64, after previous: RecordedFile?) -> Bool {
        guard writer.mayOpen(now: now), hasRoom(frame) else { return false }
        let continues = session.format == .hls && previous != nil && !isDiscontinuous
        let origin = continues ? previous?.origin ?? frame.dts : origin(frame)
        chunkSince = now
        hasBegun = true
        if !continues || muxer == nil { muxer = makeMuxer(time: frame.dts &- origin) }
        guard let muxer else { return false }
        (muxer as? TSFile)?.startSegment()
        isDue = false
        changesSegment = false
        unfitting = []
        let name = RecordingFileName(
            stream: session.stream,
            milliseconds: now,
            number: session.format == .hls ? segmentCount : nil
        )
        let number = session.newFileNumber()
        let codecs = carried.names
        file = RecordedFile(number: number, origin: origin, first: frame.dts, now: now, codecs: codecs)
        writer.submit(
            .open(
                FileOpening(
                    file: number,
                    name: name,
                    startMilliseconds: now,
                    codecs: codecs,
                    isDiscontinuous: isDiscontinuous
                )
            )
        )
        isDiscontinuous = false
        segmentCount += 1
        return true
    }

    private func makeMuxer(time: Int64) -> (any ContainerMuxer)? {
        switch session.format {
        case .flv: FLVFile(carried, form: flvForm, time: time, into: &chunk)
        case .ts, .hls: TSFile(carried)
        case .fmp4: FMP4File(carried, into: &chunk)
        }
    }

    /// The time that is 0 in a file. Sound may come that is a little older than the key frame: it must not become negative,
    /// and the two are moved alike.
    private func origin(_ frame: Frame) -> Int64 {
        guard !cutting.keepsTimes else { return 0 }
        guard let sound = last.nextSound, frame.track == .video, sound < frame.dts, frame.dts &- sound < 90_000 else {
            return frame.dts
        }
        return sound
    }

    private func mux(_ frame: Frame, startsGOP: Bool, into file: RecordedFile, now: Int64) {
        guard let muxer else { return }
        var file = file
        last.note(frame)
        var shifted = frame
        shifted.dts = frame.dts &- file.origin
        shifted.pts = frame.pts &- file.origin
        if !cutting.keepsTimes, shifted.dts < 0 {
            shifted.pts = max(0, shifted.pts)
            shifted.dts = 0
        }
        let mayEndFragment = frame.track == .video || !hasPictures
        if heldFrames > 0, startsGOP || mayEndFragment && muxer.heldDuration >= Self.longestFragment {
            finishFragment(nextVideoDTS: frame.track == .video ? shifted.dts : nil)
            handOverIfDue(now: now)
        }
        if chunkFrames == 0, heldFrames == 0 { chunkSince = now }
        muxer.mux(shifted, startsGOP: startsGOP, into: &chunk)
        if session.format == .fmp4 { heldFrames += 1 } else { chunkFrames += 1 }
        file.note(frame, isKey: startsGOP, now: now)
        self.file = file
        handOverIfDue(now: now)
    }

    // MARK: To the writer

    private func handOverIfDue(now: Int64) {
        // Headers alone are nothing to play.
        guard chunkFrames > 0 else { return }
        let isOld = now &- chunkSince >= Self.chunkAge || now < chunkSince
        guard chunk.readableBytes >= Self.chunkBytes || isOld else { return }
        // Of TS this ends what it gathers of sound; a fragment of MP4 is ended by the frame that comes next.
        if session.format != .fmp4 { finishFragment(nextVideoDTS: nil) }
        submitChunk(now: now)
    }

    private func finishFragment(nextVideoDTS: Int64?) {
        muxer?.finishFragment(nextVideoDTS: nextVideoDTS, into: &chunk)
        chunkFrames += heldFrames
        heldFrames = 0
    }

    private func handOver(nextVideoDTS: Int64?) {
        finishFragment(nextVideoDTS: nextVideoDTS)
        submitChunk(now: clock())
    }

    private func submitChunk(now: Int64) {
        guard var file, chunk.readableBytes > 0 else { return }
        file.bytes += chunk.readableBytes
        self.file = file
        let progress = file.progress()
        let capacity = min(Self.chunkBytes, chunk.readableBytes &+ chunk.readableBytes / 4)
        writer.submit(.append(FileChunk(file: file.number, bytes: chunk, frames: chunkFrames, progress: progress)))
        chunk = ByteBufferAllocator().buffer(capacity: capacity)
        chunkFrames = 0
        chunkSince = now
    }

    /// - Parameter nextStart: the frame that the next file begins with.
    private func closeFile(nextStart: Frame?) {
        guard let file else { return }
        let next = nextStart.flatMap { $0.track == .video ? $0.dts &- file.origin : nil }
        handOver(nextVideoDTS: next)
        let ended = self.file ?? file
        writer.submit(.close(FileEnding(file: ended.number, progress: ended.progress(to: nextStart?.dts))))
        self.file = nil
    }

    /// Time went back: what follows belongs to another file, which begins at the next start.
    private func closeAtJump() {
        closeFile(nextStart: nil)
        last = TrackTimes()
        isDiscontinuous = true
        muxer = nil
    }

    /// The writer could not write it.
    private func giveUpFile() {
        let counters = session.counters
        counters.drop(frames: chunkFrames &+ heldFrames, bytes: chunk.readableBytes &+ (muxer?.heldBytes ?? 0))
        chunk.clear()
        chunkFrames = 0
        heldFrames = 0
        file = nil
        muxer = nil
        isDiscontinuous = true
    }

    // MARK: What is left out

    private func hasRoom(_ frame: Frame) -> Bool {
        let bytes = frame.payload.readableBytes &+ Self.overhead &+ chunk.readableBytes &+ (muxer?.heldBytes ?? 0)
        // Once it was full there is to be some room before it goes on.
        let limit = isSkipping ? queueLimit / 2 : queueLimit
        return writer.queuedBytes &+ bytes <= limit && budget.hasRoom(for: bytes)
    }

    private func drop(_ frame: Frame) {
        session.counters.drop(frames: 1, bytes: frame.payload.readableBytes)
    }

    private func skip(_ frame: Frame) {
        if !isSkipping {
            isSkipping = true
            droppedBeforeSkip = session.counters.droppedFrames.load(ordering: .relaxed)
            let now = clock()
            complains = now &- complainedAt >= Self.complaintInterval || now < complainedAt
            if complains {
                complainedAt = now
                let queued = writer.queuedBytes
                session.report(.tooSlow(stream: session.stream, format: session.format, queuedBytes: queued))
            }
            // What is whole goes; the queue has room for it.
            handOver(nextVideoDTS: nil)
        }
        drop(frame)
    }

    private func caughtUp() {
        isSkipping = false
        guard complains else { return }
        let dropped = session.counters.droppedFrames.load(ordering: .relaxed) &- droppedBeforeSkip
        session.report(.caughtUp(stream: session.stream, format: session.format, droppedFrames: dropped))
    }

    private func noteOmissions() {
        let names = ContainerLimits.omitted(tracks, format: session.format, flvForm: flvForm)
        omitted = Set(names.map(\.track))
        session.noteOmitted(names.map(\.codec))
    }
}
