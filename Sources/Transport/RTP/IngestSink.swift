package import Media
package import NIOCore

/// Turns a session's packets into its media events, handed over once for each drain.
package final class IngestSink: RTPSink {
    /// Called on the receiver's loop with what a drain brought; it may close the receiver.
    package var onEvents: (([MediaEvent]) -> Void)?
    /// Sees every packet as it came, for dumps.
    package var tap: ((RawSpan, RTPSource) -> Void)?
    package private(set) var mediaSource: RTPSource?

    private var ingest: RTPIngest
    private var events: [MediaEvent] = []

    package init(_ configuration: RTPIngestConfiguration, onEvents: (([MediaEvent]) -> Void)? = nil) {
        ingest = RTPIngest(configuration: configuration)
        self.onEvents = onEvents
    }

    package var statistics: RTPIngestStatistics { ingest.statistics }

    /// When the last packet of the session's source came: compare it with the media timeout.
    package var lastActivity: NIODeadline? { ingest.lastActivity }

    package func receive(_ packet: RawSpan, from source: RTPSource, now: NIODeadline) {
        tap?(packet, source)
        if source == mediaSource {
            ingest.receive(packet, now: now, into: &events)
            return
        }
        // A camera whose NAT gave it another port is followed when the session takes its packets; a stranger is not.
        let before = ingest.statistics.packets
        ingest.receive(packet, now: now, into: &events)
        if ingest.statistics.packets != before { mediaSource = source }
    }

    package func tick(now: NIODeadline) {
        if let due = ingest.deadline, due <= now { ingest.advance(to: now, into: &events) }
        guard !events.isEmpty else { return }
        var batch: [MediaEvent] = []
        swap(&batch, &events)
        onEvents?(batch)
        batch.removeAll(keepingCapacity: true)
        if events.isEmpty { swap(&batch, &events) }
    }

    package func kernelDropped(_ total: UInt32) {
        ingest.kernelDrops = Int(total)
    }

    package func receiverReport(now: NIODeadline) -> [UInt8]? {
        ingest.report(now: now)
    }
}
