import Hub
import Media
import NIOCore
import Streaming

/// One session of a player or a publisher: does what its `RTSPServerSession` asks for, with the Hub and with UDP ports. It belongs
/// to the event loop of the connection that began it, and outlives that connection when its media goes over UDP.
final class RTSPSession {
    var core: RTSPServerSession
    let remoteAddress: String
    let loop: any EventLoop
    let hub: Hub
    let options: RTSPServerOptions
    /// The connection that began it, while it is there.
    weak var handler: RTSPHandler?

    // Of a player: RTSPSession+Playing.swift.
    var offer: RTPOffer?
    var reservation: ViewerReservation?
    var viewer: Viewer?
    var group: RTSPMulticastGroup?
    private var clientPorts: [UInt16] = []

    // Of a publisher: RTSPSession+Publishing.swift.
    var description: StreamDescription?
    var publisher: StreamPublisher?
    var input: RTSPInput?
    var nextReport: NIODeadline?

    /// By media.
    var ports: [Int: RTSPDatagramPorts] = [:]
    var isFeeding = false
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
        // Of another connection than a PLAY whose answer is still to come: that goes first.
        if !core.isInterleaved { viewer?.answerAtOnce() }
        guard !isEnded else {
            reply(.status(.sessionNotFound))
            return
        }
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
                giveBack(setup)
                // The client then tries TCP.
                return .status(.unsupportedTransport)
            }
        case .multicast:
            guard let multicast = options.multicast else { return .status(.unsupportedTransport) }
            grant.multicast = multicast.grant(stream: core.address.stream, media: setup.media)
        }
        let reply = core.setUp(setup, grant, now: loop.now)
        if reply.response.status != .ok { giveBack(setup) }
        return reply
    }

    /// What a SETUP over UDP took that was not granted: it may be asked for again and again.
    private func giveBack(_ setup: RTSPSetup) {
        guard case .udp(let client) = setup.delivery else { return }
        ports.removeValue(forKey: setup.media)?.close()
        guard !setup.isForRecord else { return }
        clientPorts.removeAll { $0 == client.rtp }
        options.shared.giveBack(clientPort: client.rtp, of: core.peerAddress)
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
        ports.removeValue(forKey: media)?.close()
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
        // Over UDP its connection stays, and would wait for ever.
        if !core.isInterleaved { viewer?.answerAtOnce() }
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
