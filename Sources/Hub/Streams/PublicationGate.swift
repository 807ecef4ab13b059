import Media
import Synchronization

/// What of a publisher is asked on other loops: when another one takes its stream over, that one closes the gate and goes on
/// where this one stood. Nothing passes afterwards, though the loop of the old one has not heard of it yet.
final class PublicationGate: Sendable {
    private static let closed = Int64.min
    private static let noTime = Int64.min + 1

    private struct Facts {
        var video: VideoCodec?
        var tracks: Tracks?
        var headers = HeaderVersions()
        var offer: RTPOffer?
        var continuity: RTPContinuity?
    }

    struct Tracks: Sendable {
        var video: VideoParameters?
        var audio: AudioParameters?
    }

    private let time = Atomic<Int64>(noTime)
    private let read = Atomic<Int>(0)
    private let wrote = Atomic<Int>(0)
    private let facts = Mutex(Facts())

    var isClosed: Bool { time.load(ordering: .acquiring) == Self.closed }

    /// Lets a frame pass.
    /// - Parameters:
    ///   - last: the greatest time before it, as the publisher knows it.
    ///   - new: the greatest with it.
    /// - Returns: false when the gate is closed.
    func pass(after last: Int64?, to new: Int64?) -> Bool {
        time.compareExchange(
            expected: last ?? Self.noTime,
            desired: new ?? Self.noTime,
            ordering: .acquiringAndReleasing
        ).exchanged
    }

    /// - Returns: the greatest time that passed; nil when there was none, or the gate was closed before.
    func close() -> Int64? {
        let last = time.exchange(Self.closed, ordering: .acquiringAndReleasing)
        return last == Self.closed || last == Self.noTime ? nil : last
    }

    func count(readBytes: Int, wroteBytes: Int) {
        read.wrappingAdd(readBytes, ordering: .relaxed)
        wrote.wrappingAdd(wroteBytes, ordering: .relaxed)
    }

    var readBytes: Int { read.load(ordering: .relaxed) }
    var wroteBytes: Int { wrote.load(ordering: .relaxed) }

    /// nil until the publisher has told it.
    var video: VideoCodec? {
        get { facts.withLock { $0.video } }
        set { facts.withLock { $0.video = newValue } }
    }

    /// What the stream consists of; nil until it is known which tracks it has.
    var tracks: Tracks? {
        get { facts.withLock { $0.tracks } }
        set { facts.withLock { $0.tracks = newValue } }
    }

    /// What an RTSP reader is told; nil until it is known.
    var offer: RTPOffer? {
        get { facts.withLock { $0.offer } }
        set { facts.withLock { $0.offer = newValue } }
    }

    /// Where the packets of RTSP stand.
    var continuity: RTPContinuity? {
        get { facts.withLock { $0.continuity } }
        set { facts.withLock { $0.continuity = newValue } }
    }

    func inherit(_ headers: HeaderVersions) {
        facts.withLock { $0.headers = headers }
    }

    var headers: HeaderVersions { facts.withLock { $0.headers } }

    func version(of messages: [FLVMessage], _ form: FLVHEVCFormat, next: () -> Int) -> Int {
        facts.withLock { $0.headers.version(of: messages, form, next: next) }
    }
}
