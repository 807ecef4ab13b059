import Media
package import NIOCore

/// How a viewer's bytes leave.
package enum ViewerSink: Hashable, Sendable {
    /// Straight to the socket, past the channel's pipeline: the fast way for plain TCP.
    case descriptor
    /// Through the pipeline, for TLS.
    case channel
}

/// The streams of the gateway: one publisher and any number of viewers each, known by the stream's name alone.
///
/// Publishers and viewers stay on the event loops of their connections. Viewers may come before the publisher and stay when
/// it leaves; a stream is forgotten when it has neither.
package final class Hub: Sendable {
    package let configuration: HubConfiguration
    let registry: StreamRegistry
    let dispatchers: [LoopDispatcher]

    /// - Parameters:
    ///   - group: all connections that are to be given to the Hub must run on its loops.
    ///   - onEvent: called on one of the loops: for each event by itself, and in their order.
    ///   - taps: what takes a stream's frames from the beginning of a publication on; called on the publisher's loop.
    package init(
        group: any EventLoopGroup,
        configuration: HubConfiguration = HubConfiguration(),
        onEvent: @escaping @Sendable (HubEvent) -> Void = { _ in },
        taps: @escaping @Sendable (TappedStream, any EventLoop) -> [any StreamTap] = { _, _ in [] }
    ) {
        let loops = Array(group.makeIterator())
        let registry = StreamRegistry(configuration: configuration, loops: loops.count, taps: taps, onEvent: onEvent)
        self.configuration = configuration
        self.registry = registry
        dispatchers = loops.enumerated().map { LoopDispatcher(loop: $1, index: $0, registry: registry) }
    }

    /// The next session id of a kind: its prefix and a number from 1.
    package func makeSessionID(_ kind: SessionKind) -> String {
        registry.makeSessionID(kind)
    }

    /// A session description that starts now, with the next id unless one is given.
    package func makeSession(
        _ kind: SessionKind,
        _ role: SessionInfo.Role,
        id: String? = nil,
        remoteAddress: String = "",
        url: String = "",
        query: String = ""
    ) -> SessionInfo {
        SessionInfo(
            id: id ?? makeSessionID(kind),
            kind: kind,
            role: role,
            remoteAddress: remoteAddress,
            startTime: configuration.wallClock(),
            url: url,
            query: query
        )
    }

    /// Makes the input of a stream, on the loop that is given and that must be the current one.
    /// - Parameters:
    ///   - policy: `.reject`: takes nothing over and is not taken over; nil: as configured.
    ///   - onKick: called on the loop, once, when the Hub ends the session; the owner closes it and calls `finish()`.
    /// - Throws: `.alreadyPublished` when another session publishes the stream.
    package func publish(
        _ stream: String,
        app: String,
        session: SessionInfo,
        on loop: any EventLoop,
        policy: PublisherPolicy? = nil,
        onKick: @escaping (PublisherEnd) -> Void
    ) throws(HubError) -> StreamPublisher {
        let dispatcher = try dispatcher(of: loop)
        let publisher = StreamPublisher(
            stream: stream,
            app: app,
            session: session,
            dispatcher: dispatcher,
            onKick: onKick
        )
        let publication = StreamRegistry.Publication(
            session: session,
            loop: loop,
            policy: policy ?? configuration.publisherPolicy,
            gate: publisher.gate,
            publisher: NIOLoopBound(publisher, eventLoop: loop)
        )
        let entrance = try registry.enter(publication, stream: stream, app: app)
        publisher.start(entrance)
        let name = session.remoteAddress.isEmpty ? session.id : session.remoteAddress
        entrance.replaced?.run { $0.giveWay(to: name) }
        return publisher
    }

    /// Makes a connection a viewer, on the loop of its channel, which must be the current one.
    ///
    /// From now on nothing may be written to the channel but by `Viewer.send(control:)`. The viewer leaves when the channel
    /// closes; the Hub closes the channel of a viewer that stalls or is kicked.
    /// - Parameters:
    ///   - prologue: what the connection still has to say before the stream, such as an HTTP response head.
    ///   - startsLive: it gets nothing of what is cached and waits for the next key frame.
    ///   - onEnd: called when the Hub ends the viewer: what it returns is sent behind the last whole message, then the channel
    ///     is closed. Not called when the peer is gone or takes nothing.
    /// - Throws: `.unsupportedCodec` when the stream's publisher is known and the form cannot carry its video.
    package func view(
        _ stream: String,
        app: String,
        as format: WireFormat,
        session: SessionInfo,
        channel: any Channel,
        sink: ViewerSink = .descriptor,
        prologue: ByteBuffer = ByteBuffer(),
        startsLive: Bool = false,
        onEnd: ((Viewer.CloseReason) -> ByteBuffer?)? = nil
    ) throws(HubError) -> Viewer {
        let dispatcher = try dispatcher(of: channel.eventLoop)
        try registry.enterViewer(session, stream: stream, app: app, format: format)
        return dispatcher.add(
            session,
            stream: stream,
            format: format,
            channel: channel,
            sink: sink,
            prologue: prologue,
            startsLive: startsLive,
            onEnd: onEnd
        )
    }

    /// Who publishes and how many watch, at this moment; nil when there is no such stream.
    package func presence(of stream: String) -> StreamPresence? {
        registry.presence(of: stream)
    }

    /// The session that publishes a stream, if any.
    package func publisher(of stream: String) -> SessionInfo? {
        registry.publication(of: stream)?.session
    }

    /// The media type of a stream as fragmented MP4, with its codecs, at this moment; nil while nobody knows them.
    package func fmp4ContentType(of stream: String, hasAudio: Bool) -> String? {
        guard let tracks = registry.publication(of: stream)?.gate.tracks else { return nil }
        return FMP4Description(video: tracks.video, audio: hasAudio ? tracks.audio : nil)?.contentType
    }

    func dispatcher(of loop: any EventLoop) throws(HubError) -> LoopDispatcher {
        guard let dispatcher = dispatchers.first(where: { $0.loop === loop }) else { throw .foreignEventLoop }
        loop.preconditionInEventLoop()
        return dispatcher
    }
}

extension Hub {
    /// All streams, by name.
    package func snapshot() async -> [StreamSnapshot] {
        await collect(nil)
    }

    /// One stream, nil when there is none of the name.
    package func snapshot(of stream: String) async -> StreamSnapshot? {
        await collect(stream).first
    }

    package func statistics() async -> HubStatistics {
        var sum = HubStatistics()
        for dispatcher in dispatchers {
            if let part = try? await dispatcher.loop.submit({ dispatcher.statistics }).get() { sum.add(part) }
        }
        sum.refusedSlabs = registry.slabs.refusedSlabs
        return sum
    }

    /// Ends a session of a stream, whether it publishes or watches.
    /// - Returns: nil when it was found, else what was not.
    package func kick(session: String, of stream: String) async -> KickFailure? {
        guard registry.streams.contains(where: { $0.name == stream }) else { return .noStream }
        if let publication = registry.publication(of: stream), publication.session.id == session {
            publication.run { $0.end(.kicked) }
            return nil
        }
        for dispatcher in dispatchers {
            let found = try? await dispatcher.loop.submit { dispatcher.kick(session: session, of: stream) }.get()
            if found == true { return nil }
        }
        return .noSession
    }

    /// Ends all publishers and viewers: each is told, and has until the limit to take it.
    package func shutdown(within limit: TimeAmount = .seconds(1)) async {
        for publication in registry.publications { publication.run { $0.end(.shutdown) } }
        let ends = dispatchers.map { dispatcher in
            dispatcher.loop.flatSubmit { dispatcher.endViewers(within: limit) }
        }
        for end in ends { try? await end.get() }
    }

    package enum KickFailure: Hashable, Sendable {
        case noStream
        case noSession
    }

    private func collect(_ stream: String?) async -> [StreamSnapshot] {
        var streams: [String: StreamSnapshot] = [:]
        for (name, app, graceUntil) in registry.streams where stream == nil || stream == name {
            streams[name] = StreamSnapshot(name: name, app: app, graceUntil: graceUntil)
        }
        for dispatcher in dispatchers {
            guard let reports = try? await dispatcher.loop.submit({ dispatcher.report(on: stream) }).get() else {
                continue
            }
            for report in reports { streams[report.name]?.add(report) }
        }
        return streams.values.sorted { $0.name < $1.name }
    }
}

extension StreamSnapshot {
    /// Adds what one loop knows of the stream.
    fileprivate mutating func add(_ report: StreamSnapshot) {
        if report.publisher != nil {
            let viewers = viewers
            let app = app
            let graceUntil = graceUntil
            self = report
            self.app = app
            self.graceUntil = graceUntil
            self.viewers = viewers
        }
        viewers.append(contentsOf: report.viewers)
        viewers.sort { ($0.info.startTime, $0.info.id) < ($1.info.startTime, $1.info.id) }
    }
}
