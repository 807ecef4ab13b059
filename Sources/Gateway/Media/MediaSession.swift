internal import Hub
internal import Media
internal import NIOCore
internal import Transport

/// One camera's media from its sockets to its stream. It lives on one event loop.
final class MediaSession: RTPSink {
    let id: String
    let transport: MediaTransportKind
    private let advertisedHost: String
    private var ingest: RTPIngest
    private var publisher: StreamPublisher?
    private var receiver: MediaReceiver?
    private var onEnd: ((MediaEnd) -> Void)?
    private var events: [MediaEvent] = []
    private var uncountedBytes = 0

    /// Silence that ends the session; nil: it never ends by itself.
    private let timeout: TimeAmount?
    /// When silence began to count: the answer, then each packet.
    private var waitsSince: NIODeadline?
    private(set) var mediaSource: RTPSource?
    private var connectionFault: String?
    private var dump: DumpWriter?

    init(id: String, request: MediaRequest) {
        self.id = id
        transport = request.transport
        advertisedHost = request.advertisedHost
        timeout = request.timeout
        onEnd = request.onEnd
        ingest = RTPIngest(
            configuration: RTPIngestConfiguration(
                transport: request.transport == .udp ? .udp : .tcp,
                expectedSSRC: request.ssrc
            )
        )
    }

    func attach(_ publisher: StreamPublisher) {
        self.publisher = publisher
    }

    func attach(_ receiver: MediaReceiver) {
        self.receiver = receiver
    }

    /// From now on silence counts.
    func arm(now: NIODeadline) {
        waitsSince = waitsSince ?? now
    }

    /// The camera has answered: what it will send, and from where.
    func answered(ssrc: UInt32?, host: String, port: Int) {
        if let ssrc { receiver?.expect(ssrc: ssrc) }
        if let source = RTPSource(host: host, port: port) { receiver?.expect(source: source) }
    }

    /// TCP active: connects to what the camera answered, then to where its SIP comes from.
    func connect(to hosts: [String], port: Int) {
        receiver?.connect(to: hosts.compactMap { RTPSource(host: $0, port: port, transport: .tcp) })
    }

    func kick() {
        end(.kicked)
    }

    /// Gives everything back. Idempotent.
    func close() {
        onEnd = nil
        receiver?.close()
        receiver = nil
        publisher?.finish()
        publisher = nil
        dump?.close()
        dump = nil
    }

    private func end(_ reason: MediaEnd) {
        let report = onEnd
        onEnd = nil
        report?(reason)
    }

    // What the sockets say

    func receive(_ packet: RawSpan, from source: RTPSource, now: NIODeadline) {
        ingest.receive(packet, now: now, into: &events)
        dump?.write(packet)
        guard ingest.lastActivity == now else { return }
        mediaSource = source
        uncountedBytes &+= packet.byteCount
    }

    func tick(now: NIODeadline) {
        if let deadline = ingest.deadline, deadline <= now { ingest.advance(to: now, into: &events) }
        if let publisher {
            publisher.count(readBytes: uncountedBytes)
            publisher.receive(events)
        }
        uncountedBytes = 0
        events.removeAll(keepingCapacity: events.count <= 16)
        watch(now: now)
    }

    private func watch(now: NIODeadline) {
        guard let timeout, let waitsSince, onEnd != nil else { return }
        let quietSince = ingest.lastActivity.map { max($0, waitsSince) } ?? waitsSince
        guard now - quietSince >= timeout else { return }
        let seconds = timeout.nanoseconds / 1_000_000_000
        if let diagnosis = connectionFault ?? ingest.statistics.diagnosis {
            end(
                .timeout(
                    "media_timeout: no picture at \(advertised) (\(transport.rawValue)) within \(seconds) s: \(diagnosis)"
                )
            )
        } else {
            end(.timeout("media_timeout: the camera stopped sending to \(advertised) \(seconds) s ago"))
        }
    }

    /// What the camera was told: `ip:port`.
    private var advertised: String { "\(advertisedHost):\(receiver?.localPort ?? 0)" }

    func kernelDropped(_ total: UInt32) {
        ingest.kernelDrops = Int(total)
    }

    func receiverReport(now: NIODeadline) -> [UInt8]? {
        ingest.report(now: now)
    }

    func changed(_ event: MediaReceiverEvent) {
        switch event {
        case .connected(let source):
            mediaSource = source
            connectionFault = nil
        case .disconnected:
            break
        case .abandoned:
            end(
                .disconnected(
                    "media of \(advertised): the camera closed its connection and did not come back within 5 s"
                )
            )
        case .connectFailed(let attempts):
            end(.connectFailed("media_connect: \(attempts.joined(separator: "; "))"))
        case .unusable(let source, _, let text):
            connectionFault = "from \(source): \(text)"
        }
    }

    // For the API

    /// - Throws: ``ControlError/sessionNotFound`` when nothing will be written any more.
    func setDump(_ writer: DumpWriter?) throws -> DumpWriter? {
        guard receiver != nil else {
            writer?.close()
            throw ControlError.sessionNotFound
        }
        let old = dump
        dump?.close()
        dump = writer
        return old
    }

    var report: MediaReport {
        let all = ingest.statistics
        let sockets = receiver?.statistics
        let rtp = RTPStat(
            transport: transport.rawValue,
            framing: sockets?.framing?.rawValue ?? "",
            ssrc: all.ssrc ?? 0,
            packets: all.packets,
            lost: all.order.lost,
            reordered: all.order.reordered,
            duplicates: all.order.duplicates,
            rejected: all.wrongSSRC + all.notRTP,
            kernelDrops: all.kernelDrops,
            jitterMs: (Double(all.jitter) / 9).rounded() / 10
        )
        let address = mediaSource.map { "\($0.host):\($0.port)" } ?? ""
        return MediaReport(remoteAddress: address, rtp: rtp)
    }
}
