import Hub
import Media
import NIOCore
import Streaming

// Publishing
extension RTSPSession {
    /// Takes the stream, at ANNOUNCE: it is there for viewers from RECORD on.
    func publish(_ description: StreamDescription, url: String) throws(HubError) {
        self.description = description
        publisher = try hub.publish(
            core.address.stream,
            app: core.address.app,
            session: hub.makeSession(
                .rtspPublisher,
                .publisher,
                remoteAddress: remoteAddress,
                url: url,
                query: core.address.query
            ),
            on: loop
        ) { [weak self] end in
            self?.end(.ended("\(end)"), closes: true)
        }
    }

    func record() {
        guard let publisher, let description, input == nil else { return }
        let input = RTSPInput(description, into: publisher, transport: core.isInterleaved ? .tcp : .udp)
        self.input = input
        input.begin()
        if core.isInterleaved {
            handler?.readTogether(publisher)
        } else {
            nextReport = loop.now + options.reportInterval
        }
    }

    func punch() {
        for port in ports.values { port.punch(ssrc: .random(in: .min ... .max)) }
    }

    func count(readBytes: Int, wroteBytes: Int = 0) {
        publisher?.count(readBytes: readBytes, wroteBytes: wroteBytes)
        viewer?.count(readBytes: readBytes)
        // Over UDP they are requests, and no sign of media.
        if readBytes > 0, core.isRecord, core.isInterleaved { core.received(now: loop.now) }
    }

    /// A packet on the session's connection; `feed` follows.
    func receive(_ packet: ByteBuffer, channel: UInt8) {
        guard let (media, isRTCP) = core.route(channel: channel, now: loop.now) else { return }
        input?.receive(packet.readableBytesSpan, media: media, isRTCP: isRTCP, now: loop.now)
    }

    /// - Returns: the number of frames.
    func feed(waited: TimeAmount) -> Int {
        guard let input else { return 0 }
        let frames = input.feed(waited: waited)
        schedule()
        return frames
    }

    func receive(_ packet: RawSpan, media: Int, isRTCP: Bool, now: NIODeadline) {
        core.received(now: now)
        guard core.state == .recording, let input else { return }
        publisher?.count(readBytes: packet.byteCount)
        input.receive(packet, media: media, isRTCP: isRTCP, now: now)
        guard !isFeeding else { return }
        // All datagrams of this turn together.
        isFeeding = true
        loop.assumeIsolated().execute {
            self.isFeeding = false
            self.input?.feed()
            self.schedule()
        }
    }
}
