internal import NIOCore
internal import NIOPosix

/// The media socket of one session and what is streamed over it. Used on its loop only.
final class MediaSession {
    let key: UInt64
    let camera: Int
    let request: SimulatedCamera.MediaRequest

    private let owner: SimulationLoop
    private let clip: Clip
    private var streamer: ClipStreamer?
    private var listener: (any Channel)?
    private var channel: (any Channel)?
    private var destination: SocketAddress?
    private var isStarted = false
    private var isClosed = false
    private var attempts = 0

    init(
        key: UInt64,
        camera: Int,
        request: SimulatedCamera.MediaRequest,
        clip: Clip,
        owner: SimulationLoop
    ) {
        self.key = key
        self.camera = camera
        self.request = request
        self.clip = clip
        self.owner = owner
    }

    var deadline: NIODeadline? { isClosed ? nil : streamer?.deadline }

    /// Binds what the answer must name: the port we send from, or the one we listen on.
    func open() {
        switch request.path {
        case .udp(let host, let port):
            guard let address = try? SocketAddress(ipAddress: host, port: Int(port)) else { return fail() }
            destination = address
            DatagramBootstrap(group: owner.loop)
                .bind(host: owner.settings.localHost, port: 0)
                .assumeIsolated()
                .whenComplete { self.bound($0) }
        case .connect:
            // An active side has no port to name: 9 (RFC 4145 section 4.1).
            owner.mediaOpened(self, port: 9)
        case .listen:
            let session = NIOLoopBound(self, eventLoop: owner.loop)
            ServerBootstrap(group: owner.loop)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { session.value.accepted(channel) }
                }
                .bind(host: owner.settings.localHost, port: 0)
                .assumeIsolated()
                .whenComplete { self.bound($0) }
        }
    }

    private func bound(_ result: Result<any Channel, any Error>) {
        guard case .success(let bound) = result, let port = bound.localAddress?.port else { return fail() }
        if isClosed { return bound.close(promise: nil) }
        if case .listen = request.path { listener = bound } else { channel = bound }
        owner.mediaOpened(self, port: port)
    }

    private func accepted(_ accepted: any Channel) {
        guard channel == nil, !isClosed else { return accepted.close(promise: nil) }
        channel = accepted
        beginIfReady()
    }

    /// The platform has acknowledged.
    func start() {
        isStarted = true
        if case .connect(let host, let port) = request.path { return connect(host: host, port: port) }
        beginIfReady()
    }

    /// Three attempts, a second apart (spec 4.2), then BYE.
    private func connect(host: String, port: UInt16) {
        attempts += 1
        ClientBootstrap(group: owner.loop)
            .connectTimeout(.seconds(3))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: host, port: Int(port))
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let connected):
                    if self.isClosed { return connected.close(promise: nil) }
                    self.channel = connected
                    self.beginIfReady()
                case .failure where self.attempts < 3 && !self.isClosed:
                    self.owner.loop.assumeIsolated().scheduleTask(in: .seconds(1)) {
                        if !self.isClosed { self.connect(host: host, port: port) }
                    }
                case .failure: self.fail()
                }
            }
    }

    private func beginIfReady() {
        guard isStarted, !isClosed, streamer == nil, let channel else { return }
        if destination == nil {
            channel.closeFuture.assumeIsolated().whenComplete { _ in self.fail() }
        }
        streamer = ClipStreamer(
            clip: clip,
            ssrc: request.ssrc,
            sequenceNumber: .random(in: 0...UInt16.max),
            startAt: .now()
        )
        owner.enqueue(self)
    }

    /// Sends what is due. A TCP peer that does not read loses whole frames, never a part of one.
    func advance(to now: NIODeadline, statistics: inout SimulationStatistics) {
        guard let channel, !isClosed else { return }
        let isBlocked = !channel.isWritable
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
        streamer?.advance(to: now) { packet in
            guard !isBlocked else { return }
            packets += 1
            bytes += UInt64(packet.byteCount)
            var buffer = channel.allocator.buffer(capacity: packet.byteCount + 2)
            if let destination {
                buffer.writeBytes(packet)
                channel.write(AddressedEnvelope(remoteAddress: destination, data: buffer), promise: nil)
            } else {
                buffer.writeInteger(UInt16(clamping: packet.byteCount))
                buffer.writeBytes(packet)
                channel.write(buffer, promise: nil)
            }
        }
        channel.flush()
        statistics.mediaPackets += packets
        statistics.mediaBytes += bytes
    }

    private func fail() {
        if !isClosed { owner.mediaFailed(request.id, of: camera) }
    }

    func close() {
        isClosed = true
        streamer = nil
        listener?.close(promise: nil)
        channel?.close(promise: nil)
    }
}
