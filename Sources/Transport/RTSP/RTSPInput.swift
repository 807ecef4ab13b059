import Hub
import Media
import NIOCore

/// What comes of a stream over RTSP, published or pulled, on its way into the Hub: packets in order to RTSP readers, frames of
/// what can be converted to everybody else.
final class RTSPInput {
    let publisher: StreamPublisher
    private let description: StreamDescription
    private var ingest: RTSPIngest
    private var events: [MediaEvent] = []
    /// Something was passed on since the last `feed`.
    private var isFed = true

    init(
        _ description: StreamDescription,
        into publisher: StreamPublisher,
        transport: RTPIngestConfiguration.Transport
    ) {
        self.publisher = publisher
        self.description = description
        let configuration = RTSPIngestConfiguration(
            transport: transport,
            largestFrame: StreamPublisher.maximumFrame,
            ownSSRC: .random(in: .min ... .max)
        )
        ingest = RTSPIngest(description, configuration: configuration)
    }

    var statistics: RTSPIngestStatistics { ingest.statistics }

    /// The stream is there: whoever waits for it is told.
    func begin() {
        publisher.describe(description, video: ingest.hasVideo, audio: ingest.hasAudio)
        ingest.start(into: &events)
        isFed = false
        feed()
    }

    /// Takes one packet; `feed` afterwards.
    func receive(_ packet: RawSpan, media: Int, isRTCP: Bool, now: NIODeadline) {
        let publisher = publisher
        ingest.receive(packet, media: media, isRTCP: isRTCP, now: now, into: &events) { packet, media in
            publisher.forward(packet, media: media)
        }
        isFed = false
        guard isRTCP else { return }
        for report in ingest.takeSenderReports() {
            publisher.takeSenderReport(media: report.media, ntp: report.ntp, rtpTimestamp: report.rtpTimestamp)
        }
    }

    /// Hands on what the packets of one read gave.
    /// - Parameter waited: how long they may have lain in the socket.
    /// - Returns: the number of frames.
    @discardableResult
    func feed(waited: TimeAmount = .nanoseconds(0)) -> Int {
        guard !isFed else { return 0 }
        isFed = true
        let count = events.count
        publisher.receive(events, waited: waited)
        events.removeAll(keepingCapacity: true)
        return count
    }

    var deadline: NIODeadline? { ingest.deadline }

    func advance(to now: NIODeadline) {
        guard let deadline, deadline <= now else { return }
        let publisher = publisher
        ingest.advance(to: now, into: &events) { packet, media in publisher.forward(packet, media: media) }
        isFed = false
        feed()
    }

    /// The stream is over: what was waited for does not come any more.
    func finish(now: NIODeadline) {
        let publisher = publisher
        ingest.advance(to: now + .seconds(1), into: &events) { packet, media in
            publisher.forward(packet, media: media)
        }
        isFed = false
        feed()
    }

    /// RTCP receiver reports, for the medias that have sent something.
    func receiverReports(now: NIODeadline) -> [(media: Int, report: [UInt8])] {
        description.media.indices.compactMap { media in
            ingest.receiverReport(media: media, now: now).map { (media, $0) }
        }
    }
}
