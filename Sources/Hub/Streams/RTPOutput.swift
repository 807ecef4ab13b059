package import Media
import NIOCore

/// What an RTSP client is told of a stream.
package struct RTPOffer: Hashable, Sendable {
    package var description: StreamDescription
    /// The SSRC of each media.
    package var sources: [UInt32]

    package init(description: StreamDescription, sources: [UInt32]) {
        self.description = description
        self.sources = sources
    }
}

/// What the RTSP readers of a stream get: its frames in packets, or its publisher's own packets. There is one log for all of
/// them. Of frames it is made when the first reader comes, and goes with the last; a publisher's packets are always cached, as
/// they may be of codecs that nothing else carries.
final class RTPOutput {
    /// Sender reports go out so often, and with the beginning of a group of pictures, so that a new reader has sound and picture
    /// together at once.
    private static let reportInterval = TimeAmount.seconds(5)
    private static let shortestInterval = TimeAmount.milliseconds(200)
    /// Sound comes up to so much after its picture, and B-frames may be shown before the key frame they follow.
    private static let reportLead = TimeAmount.milliseconds(500)

    private(set) var offer: RTPOffer
    private(set) var log: ByteLog?
    /// Of frames.
    private var packager: RTPPackager?
    /// Of packets.
    private var forwarder: RTPForwarder?
    private unowned let publisher: StreamPublisher
    private var nextReport = NIODeadline.uptimeNanoseconds(0)
    private var earliestReport = NIODeadline.uptimeNanoseconds(0)
    private var keyTime: Int64?
    /// Medias that a sender report was about: the first packet of each has one at once, or players would guess how sound and picture
    /// stand to each other.
    private var reported: Set<Int> = []
    /// Nothing is appended up to the next key frame.
    private var isPaused = false
    private(set) var droppedPackets = 0

    /// - Parameters:
    ///   - isForwarding: the publisher sends packets that are passed on.
    ///   - continuing: where the publisher before left off.
    init(
        _ description: StreamDescription,
        of publisher: StreamPublisher,
        isForwarding: Bool,
        continuing: RTPContinuity?
    ) {
        self.publisher = publisher
        let seed = UInt64.random(in: .min ... .max)
        let sources: [UInt32]
        if isForwarding {
            let forwarder = RTPForwarder(description: description, seed: seed, continuing: continuing)
            sources = forwarder.sources
            self.forwarder = forwarder
        } else {
            let packager = RTPPackager(description: description, seed: seed, continuing: continuing)
            sources = packager.sources
            self.packager = packager
        }
        offer = RTPOffer(description: description, sources: sources)
        if isForwarding { log = makeLog() }
    }

    var isForwarding: Bool { forwarder != nil }
    var readers: [StreamRegistry.Reader] { log?.readers ?? [] }
    var hasChanges: Bool { log?.hasChanges ?? false }
    var memory: Int { log?.memory ?? 0 }

    private func makeLog() -> ByteLog {
        let log = publisher.makeLog(.rtsp)
        log.description = offer.description
        return log
    }

    // Readers

    func attach(_ reader: StreamRegistry.Reader, isBeginning: Bool) {
        let log = self.log ?? makeSeededLog()
        log.readers.append(reader)
        if log.readers.count == 1 { log.forgetChanges() }
        reader.dispatcher.deliver([
            .update(stream: publisher.stream, format: .rtsp, log.snapshot(isBeginning: isBeginning))
        ])
    }

    func detach(_ dispatcher: LoopDispatcher) {
        log?.readers.removeAll { $0.dispatcher === dispatcher }
        if packager != nil, readers.isEmpty { log = nil }
    }

    /// The log with what is cached of the stream's frames.
    private func makeSeededLog() -> ByteLog {
        let log = makeLog()
        self.log = log
        // Reports of a log before are not in this one.
        reported = []
        nextReport = .uptimeNanoseconds(0)
        earliestReport = .uptimeNanoseconds(0)
        var frames: [(frame: Frame, starts: Bool)] = []
        publisher.forEachCachedFrame { frames.append(($0, $1)) }
        guard let last = frames.last?.frame.dts else { return log }
        let present = publisher.loop.now
        for (frame, starts) in frames {
            // Sender reports are to say when the frame was there, not when it came out of the cache.
            let age = TimeAmount.nanoseconds((last &- frame.dts) &* 100_000 / 9)
            append(frame, startsGOP: starts, now: present - age, age: age)
        }
        // The rest of a group that is cached in part cannot be decoded.
        isPaused = isPaused || publisher.isPaused
        return log
    }

    /// The description has other medias, or other parameters.
    /// - Returns: false when the present readers cannot go on with it.
    func change(_ description: StreamDescription) -> Bool {
        guard description.isCompatible(with: offer.description) else { return false }
        if let packager, description.media.count != offer.description.media.count {
            var grown = RTPPackager(
                description: description,
                seed: .random(in: .min ... .max),
                continuing: packager.continuity
            )
            if let video = publisher.video { grown.take(video) }
            self.packager = grown
            offer.sources = grown.sources
        }
        offer.description = description
        log?.description = description
        return true
    }

    func take(_ parameters: VideoParameters, isNew: Bool) {
        packager?.take(parameters)
        // Readers know those of the description that they were told.
        if isNew { forwarder?.insertsParameterSets(parameters) }
    }

    /// For the output that replaces this one.
    var continuity: RTPContinuity? { packager?.continuity ?? forwarder?.continuity }

    func shed() {
        log?.removeAll()
        isPaused = true
    }

    // Media

    func append(_ frame: Frame, startsGOP: Bool) {
        guard log != nil else { return }
        append(frame, startsGOP: startsGOP, now: publisher.loop.now, age: .nanoseconds(0))
    }

    private func append(_ frame: Frame, startsGOP: Bool, now: NIODeadline, age: TimeAmount) {
        if startsGOP { isPaused = false }
        guard !isPaused, let log else { return }
        let time = UInt32(truncatingIfNeeded: frame.dts / 90)
        var preamble: Preamble?
        if startsGOP { preamble = Self.preamble(packager?.starts(before: frame, now: now) ?? []) }
        var isWritten = true
        publisher.dispatcher.withScratch { bytes in
            packager?.package(frame, now: now, into: &bytes)
            report(now, startsGOP: startsGOP, media: frame.track == .video ? 0 : 1, into: &bytes) { lead, bytes in
                packager?.appendSenderReports(now: now, wallClock: wallClock(age), lead: lead, into: &bytes)
            }
        } read: { bytes in
            isWritten = log.append(bytes, timestamp: time, preamble: preamble)
        }
        finish(isWritten)
        if let packager { publisher.gate.continuity = packager.continuity }
    }

    /// Passes a publisher's packet on.
    func forward(_ packet: RawSpan, media: Int) {
        guard let log else { return }
        let now = publisher.loop.now
        var unit: ForwardedUnit?
        var isWritten = true
        publisher.dispatcher.withScratch { bytes in
            unit = forwarder?.forward(packet, media: media, now: now, into: &bytes)
            guard let unit, unit.byteCount > 0 else { return }
            let starts = startsGroup(unit)
            // What is not appended would count as told.
            if !isPaused || starts {
                report(now, startsGOP: starts, media: media, into: &bytes) { lead, bytes in
                    forwarder?.appendSenderReports(now: now, wallClock: wallClock(), lead: lead, into: &bytes)
                }
            }
            limitIdle(log, startsGOP: starts, bytes: bytes.readableBytes)
            guard !isPaused else { return }
            let preamble = starts ? Self.preamble(forwarder?.randomAccessStarts ?? []) : nil
            isWritten = bytes.withUnsafeReadableBytes {
                log.append(
                    $0,
                    timestamp: UInt32(truncatingIfNeeded: unit.time),
                    preamble: preamble,
                    frames: unit.endsAccessUnit ? 1 : 0
                )
            }
        }
        if unit?.byteCount ?? 0 > 0 { finish(isWritten) }
        if let forwarder { publisher.gate.continuity = forwarder.continuity }
    }

    func takeSenderReport(media: Int, ntp: UInt64, rtpTimestamp: UInt32) {
        forwarder?.takeSenderReport(media: media, ntp: ntp, rtpTimestamp: rtpTimestamp, now: publisher.loop.now)
    }

    private func finish(_ isWritten: Bool) {
        let registry = publisher.registry
        guard isWritten else {
            log?.removeAll()
            isPaused = true
            droppedPackets &+= 1
            return
        }
        log?.trim(to: registry.configuration.gopCacheBytes, newestOnly: registry.slabs.isUnderPressure)
    }

    /// Of medias without pictures every access unit is a random access point: a reader starts at most a second back.
    private func startsGroup(_ unit: ForwardedUnit) -> Bool {
        guard unit.isRandomAccess, unit.startsAccessUnit else { return false }
        if !offer.description.media.contains(where: { $0.kind == "video" }) {
            if let keyTime, unit.time &- keyTime < 1000 { return false }
        }
        keyTime = unit.time
        return true
    }

    private func limitIdle(_ log: ByteLog, startsGOP: Bool, bytes: Int) {
        if startsGOP { isPaused = false }
        guard log.readers.isEmpty else { return }
        if startsGOP {
            log.removeAll()
        } else if !isPaused, log.memory(with: bytes) > publisher.registry.configuration.idleGOPCacheBytes {
            isPaused = true
        }
    }

    /// Sender reports when they are due. Where a reader may begin, and with the first packet of a media, they stand before the
    /// packets: who puts sound and picture together by arrival until they come would have to move them later. They are about a moment
    /// before all of these packets, as FFmpeg counts from the first report.
    private func report(
        _ now: NIODeadline,
        startsGOP: Bool,
        media: Int,
        into bytes: inout ByteBuffer,
        _ append: (_ lead: TimeAmount, inout ByteBuffer) -> Void
    ) {
        let isFirst = reported.insert(media).inserted
        let leads = isFirst || startsGOP && now >= earliestReport
        guard leads || now >= nextReport else { return }
        guard leads else {
            nextReport = now + Self.reportInterval
            append(.nanoseconds(0), &bytes)
            return
        }
        nextReport = now + Self.reportInterval
        earliestReport = now + Self.shortestInterval
        var all = ByteBuffer()
        append(Self.reportLead, &all)
        all.writeImmutableBuffer(bytes)
        swap(&all, &bytes)
    }

    private func wallClock(_ age: TimeAmount = .nanoseconds(0)) -> WallClock {
        WallClock(nanoseconds: publisher.registry.configuration.wallClock() &* 1_000_000 &- age.nanoseconds)
    }

    private static let nothing = ByteBlock(ByteBuffer())

    private static func preamble(_ starts: [RTPStart]) -> Preamble {
        Preamble(version: 0, starts: starts, fileHeader: nothing, headers: nothing)
    }
}
