import Hub
import Media
import NIOCore
import Streaming

/// One session of a player or a publisher: does what its `RTSPServerSession` asks for, with the Hub and with UDP ports. It belongs
/// to the event loop of the connection that began it, and outlives that connection when its media goes over UDP.
final class RTSPSession {
    private(set) var core: RTSPServerSession
    let remoteAddress: String
    let loop: any EventLoop
    private let hub: Hub
    private let options: RTSPServerOptions
    /// The connection that began it, while it is there.
    weak var handler: RTSPHandler?

    // Of a player.
    var offer: RTPOffer?
    var reservation: ViewerReservation?
    private(set) var viewer: Viewer?
    private var group: RTSPMulticastGroup?
    private var clientPorts: [UInt16] = []

    // Of a publisher.
    private var description: StreamDescription?
    private var publisher: StreamPublisher?
    private var input: RTSPInput?
    private var nextReport: NIODeadline?

    /// By media.
    private var ports: [Int: RTSPDatagramPorts] = [:]
    private var isFeeding = false
    private var isEnded = false
    private var timer: Scheduled<Void>?
    private var timerDeadline: NIODeadline?

    init(
        _ core: RTSPServerSession,
        hub: Hub,
        options: RTSPServerOptions,
        remoteAddress: String,
        on loop: any EventLoop
    ) {
        self.core = core
        self.hub = hub
        self.options = options
        self.remoteAddress = remoteAddress
        self.loop = loop
    }

    var id: String { core.id }
    var isSetUp: Bool { !core.setups.isEmpty }
    var isInterleaved: Bool { core.isInterleaved }

    /// Takes a request about this session.
    /// - Parameters:
    ///   - handler: its connection; nil when that is on another loop.
    ///   - reply: called once.
    func receive(
        _ request: RTSPServerRequest,
        on handler: RTSPHandler?,
        reply: @escaping (RTSPServerReply) -> Void
    ) {
        loop.assertInEventLoop()
        defer { schedule() }
        switch core.receive(request, now: loop.now) {
        case .reply(let answer): reply(answer)
        case .setUp(let setup): reply(setUp(setup, on: handler))
        case .play: play(request, on: handler, reply)
        case .pause(let answer): pause { reply(answer) }
        case .record(let answer):
            record()
            reply(answer)
            punch()
        case .teardown(let answer):
            leave { [self] in
                // What a publisher has sent over UDP before it said so lies in the sockets, which are read on a tick.
                for port in ports.values { port.drain(now: loop.now) }
                // First, for the client may ask for the same ports or name at once.
                end(nil)
                reply(answer)
            }
        }
    }

    private func setUp(_ setup: RTSPSetup, on handler: RTSPHandler?) -> RTSPServerReply {
        var grant = RTSPGrant()
        if let offer, offer.description.media.indices.contains(setup.media),
            offer.description.media[setup.media].formats.count == 1, offer.sources.indices.contains(setup.media)
        {
            grant.ssrc = offer.sources[setup.media]
        }
        switch setup.delivery {
        case .interleaved:
            guard let handler else { return .status(.badRequest) }
            self.handler = handler
            handler.session = self
        case .udp(let client):
            // Two readers behind one address with the same ports would get each other's packets.
            if !setup.isForRecord {
                guard options.shared.take(clientPort: client.rtp, of: core.peerAddress) else {
                    return .status(.badRequest)
                }
                clientPorts.append(client.rtp)
            }
            do {
                let port = try openPorts(media: setup.media)
                port.setPeer(host: core.peerAddress, client)
                grant.serverPorts = port.ports
            } catch {
                // The client then tries TCP.
                return .status(.unsupportedTransport)
            }
        case .multicast:
            guard let multicast = options.multicast else { return .status(.unsupportedTransport) }
            grant.multicast = multicast.grant(stream: core.address.stream, media: setup.media)
        }
        return core.setUp(setup, grant, now: loop.now)
    }

    private func openPorts(media: Int) throws -> RTSPDatagramPorts {
        let port = try RTSPDatagramPorts(
            media: media,
            pool: options.ports,
            host: options.portHost,
            on: try options.reactors.reactor(of: loop)
        ) { [weak self] packet, media, isRTCP, now in
            self?.receive(packet, media: media, isRTCP: isRTCP, now: now)
        }
        ports[media] = port
        return port
    }

    // Its end

    func connectionClosed(_ connection: UInt64) {
        handler = nil
        if core.endsWith(connection: connection) { end(nil) }
    }

    /// - Parameter closes: its connection too, since there is no other way to tell the client.
    func end(_ fault: RTSPFault?, closes: Bool = false) {
        guard !isEnded else { return }
        isEnded = true
        timer?.cancel()
        timer = nil
        input?.finish(now: loop.now)
        report(fault)
        publisher?.finish()
        publisher = nil
        viewer?.close()
        viewer = nil
        group?.leave()
        group = nil
        reservation?.cancel()
        reservation = nil
        for port in ports.values { port.close() }
        ports = [:]
        for port in clientPorts { options.shared.giveBack(clientPort: port, of: core.peerAddress) }
        options.shared.remove(id)
        handler?.sessionEnded(id, closes: closes)
    }

    private func report(_ fault: RTSPFault?) {
        guard isSetUp || core.isRecord else { return }
        var report = RTSPSessionReport(
            remoteAddress: remoteAddress,
            role: core.isRecord ? .publisher : .player,
            stream: core.address.stream,
            transport: transportName,
            fault: fault
        )
        if let statistics = input?.statistics {
            report.lostPackets = statistics.lost
            report.invalidPackets = statistics.invalid
            report.damagedPictures = statistics.video.damaged
            report.passedOn = statistics.passedOn
        }
        options.onEnd(report)
    }

    private var transportName: String {
        switch core.setups.first?.delivery {
        case .udp: "UDP"
        case .multicast: "multicast"
        case .interleaved, nil: "TCP"
        }
    }

    // Time

    func schedule() {
        let deadlines = [core.deadline, input?.deadline, nextReport].compactMap(\.self)
        guard !isEnded, let deadline = deadlines.min() else { return }
        // A deadline that moves on with every packet is looked at when the timer fires.
        if timer != nil, let timerDeadline, timerDeadline <= deadline { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = loop.assumeIsolated().scheduleTask(deadline: deadline) { self.fire() }
    }

    private func fire() {
        timer = nil
        timerDeadline = nil
        let now = loop.now
        if let fault = core.advance(to: now) {
            end(fault, closes: true)
            return
        }
        input?.advance(to: now)
        if let nextReport, nextReport <= now {
            self.nextReport = now + options.reportInterval
            for (media, report) in input?.receiverReports(now: now) ?? [] { ports[media]?.send(report: report) }
        }
        schedule()
    }
}

// Playing
extension RTSPSession {
    private func play(
        _ request: RTSPServerRequest,
        on handler: RTSPHandler?,
        _ reply: @escaping (RTSPServerReply) -> Void
    ) {
        guard let offer, let reservation else {
            reply(.status(.notValidInState))
            return
        }
        if core.setups.first?.delivery == .multicast {
            joinGroup(offer, reservation, reply)
            return
        }
        let answer: ([RTPStart]?) -> RTSPServerReply = { [self] starts in
            core.play { media in
                guard let starts, starts.indices.contains(media), offer.description.media[media].formats.count == 1
                else { return nil }
                return starts[media]
            }
        }
        let delivery: RTPDelivery
        if core.isInterleaved {
            guard let handler, let channel = handler.context?.channel else {
                reply(.status(.badRequest))
                return
            }
            delivery = .interleaved(channel, handler.sink) { handler.answer(to: request, answer($0)) }
        } else {
            let medias = offer.description.media.indices
            delivery = .datagrams(RTSPDatagramReader(medias.map { ports[$0] })) { reply(answer($0)) }
        }
        let reading = RTPReading(
            description: offer.description,
            channels: channels(of: offer),
            isWebSocket: handler?.isWebSocket ?? false
        )
        do throws(HubError) {
            self.reservation = nil
            viewer = try hub.read(reservation, reading, over: delivery) { [weak self] in self?.released($0) }
        } catch {
            reply(.status(RTSPHandler.status(error)))
        }
    }

    private func joinGroup(
        _ offer: RTPOffer,
        _ reservation: ViewerReservation,
        _ reply: @escaping (RTSPServerReply) -> Void
    ) {
        guard let multicast = options.multicast else {
            reply(.status(.unsupportedTransport))
            return
        }
        do {
            let bound = NIOLoopBound(self, eventLoop: loop)
            let loop = loop
            group = try multicast.groups.join(core.address, offer, hub: hub, options: multicast, on: loop) {
                loop.execute { bound.value.end(.ended("the stream ended"), closes: true) }
            }
            reply(core.play { _ in nil })
        } catch {
            reply(.status(.unsupportedTransport))
        }
    }

    /// By media: the channel that the client has chosen, or over UDP that of the log.
    private func channels(of offer: RTPOffer) -> [UInt8?] {
        var channels: [UInt8?] = Array(repeating: nil, count: offer.description.media.count)
        for setup in core.setups where channels.indices.contains(setup.media) {
            switch setup.delivery {
            case .interleaved(let own): channels[setup.media] = own.rtp
            case .udp, .multicast: channels[setup.media] = InterleavedFrame.channel(ofMedia: setup.media)
            }
        }
        return channels
    }

    private func pause(then: @escaping () -> Void) {
        guard let viewer else {
            group?.leave()
            group = nil
            then()
            return
        }
        // A pull on demand goes on meanwhile.
        reservation = hub.reserve(pausing: viewer, app: core.address.app)
        leave(then: then)
    }

    /// Nothing is sent any more when `then` is called.
    private func leave(then: @escaping () -> Void) {
        guard let viewer else {
            then()
            return
        }
        guard core.isInterleaved else {
            self.viewer = nil
            viewer.close()
            then()
            return
        }
        viewer.release { [self] in
            self.viewer = nil
            then()
        }
    }

    /// The Hub ends the reader: RTCP says goodbye for every source, then the connection goes.
    private func released(_ reason: Viewer.CloseReason) -> ByteBuffer? {
        viewer = nil
        var last = ByteBuffer()
        if let offer {
            for (media, channel) in channels(of: offer).enumerated() where offer.sources.indices.contains(media) {
                guard let channel else { continue }
                let packet = RTCPPacket.goodbye(from: offer.sources[media])
                var frame = ByteBuffer()
                let length = UInt16(truncatingIfNeeded: packet.count)
                frame.writeMultipleIntegers(InterleavedFrame.marker, channel &+ 1, length)
                frame.writeBytes(packet)
                last.writeImmutableBuffer(handler?.framed(frame) ?? frame)
            }
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let closes = !core.isInterleaved
        loop.execute { bound.value.end(.ended("\(reason)"), closes: closes) }
        return last
    }
}

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

    private func record() {
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

    private func punch() {
        for port in ports.values { port.punch(ssrc: .random(in: .min ... .max)) }
    }

    func count(readBytes: Int, wroteBytes: Int = 0) {
        publisher?.count(readBytes: readBytes, wroteBytes: wroteBytes)
        viewer?.count(readBytes: readBytes)
        if readBytes > 0, core.isRecord { core.received(now: loop.now) }
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

    private func receive(_ packet: RawSpan, media: Int, isRTCP: Bool, now: NIODeadline) {
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
