internal import Hub
internal import Logging
internal import Media
internal import NIOCore
internal import Streaming
internal import Synchronization
internal import Transport

/// Publishers in the log, and why RTMP connections ended. It hands the Hub's events on to the relays.
final class ActivityLog: Sendable {
    private let logger: Logger
    private let limiter = LogRateLimiter()
    private let relays = Mutex<Relays?>(nil)
    /// Who publishes what, to tell one that replaces another.
    private let publishers = Mutex<[String: SessionInfo]>([:])

    init(logger: Logger) {
        self.logger = logger
    }

    /// The Hub is made before the relays, because they need it.
    func attach(_ relays: Relays) {
        self.relays.withLock { $0 = relays }
    }

    func received(_ event: HubEvent) {
        switch event.kind {
        case .publisherStarted: started(event)
        case .publisherStopped: stopped(event)
        case .viewerStarted, .viewerStopped: break
        }
        relays.withLock { $0 }?.received(event)
    }

    private func started(_ event: HubEvent) {
        let old = publishers.withLock { $0.updateValue(event.session, forKey: event.stream) }
        let metadata = metadata(event)
        if let old, old.id != event.session.id {
            logger.warning(
                "stream \(event.stream): \(describe(event.session)) has taken over from \(describe(old))",
                metadata: metadata
            )
        } else {
            logger.info("stream \(event.stream): \(describe(event.session)) publishes", metadata: metadata)
        }
    }

    private func stopped(_ event: HubEvent) {
        publishers.withLock { publishers in
            if publishers[event.stream]?.id == event.session.id { publishers[event.stream] = nil }
        }
        var metadata = metadata(event)
        metadata["read_bytes"] = "\(event.readBytes)"
        logger.info("stream \(event.stream): \(describe(event.session)) has stopped", metadata: metadata)
    }

    private func describe(_ session: SessionInfo) -> String {
        session.remoteAddress.isEmpty ? session.id : "\(session.id) from \(session.remoteAddress)"
    }

    private func metadata(_ event: HubEvent) -> Logger.Metadata {
        event.session.url.isEmpty ? [:] : ["url": "\(URLText.redacted(event.session.url))"]
    }

    /// A session of RTSP is over.
    func ended(_ report: RTSPSessionReport) {
        let isPublisher = report.role == .publisher
        if isPublisher, !report.passedOn.isEmpty {
            logger.limited(
                limiter,
                key: "codec \(report.stream)",
                "stream \(report.stream): only RTSP readers got \(report.passedOn.joined(separator: ", "))",
                metadata: ["remote": "\(report.remoteAddress)"]
            )
        }
        guard let fault = report.fault else { return }
        var metadata: Logger.Metadata = ["transport": "\(report.transport)"]
        if isPublisher {
            metadata["lost_packets"] = "\(report.lostPackets)"
            metadata["damaged_pictures"] = "\(report.damagedPictures)"
        }
        let host = report.remoteAddress.lastIndex(of: ":").map { report.remoteAddress[..<$0] } ?? ""
        let who = "RTSP \(isPublisher ? "publisher" : "reader") \(report.remoteAddress)"
        logger.limited(
            limiter,
            key: "rtsp \(host) \(report.stream)",
            level: .info,
            "stream \(report.stream): \(who) ended: \(fault.explanation)",
            metadata: metadata
        )
    }

    /// A connection of an RTSP port was closed for what its client did.
    func closed(rtsp remoteAddress: String, _ fault: RTSPFault) {
        let host = remoteAddress.lastIndex(of: ":").map { remoteAddress[..<$0] } ?? ""
        logger.limited(
            limiter,
            key: "rtsp \(host)",
            level: .info,
            "RTSP connection of \(remoteAddress) closed: \(fault.explanation)"
        )
    }

    /// A connection of the RTMP port is over.
    func closed(_ report: RTMPConnectionReport) {
        let who = report.stream.map { "stream \($0): " } ?? ""
        if report.media.unsupported > 0 {
            let names = report.unsupportedCodecs.joined(separator: ", ")
            logger.limited(
                limiter,
                key: "codec \(report.stream ?? "")",
                "\(who)\(report.media.unsupported) messages of codecs that are not carried were left out: \(names)",
                metadata: ["remote": "\(report.remoteAddress)"]
            )
        }
        guard let fault = report.fault else { return }
        let host = report.remoteAddress.lastIndex(of: ":").map { report.remoteAddress[..<$0] } ?? ""
        logger.limited(
            limiter,
            key: "rtmp \(host) \(report.stream ?? "")",
            level: .info,
            "\(who)RTMP connection of \(report.remoteAddress) closed: \(fault.explanation)"
        )
    }
}
