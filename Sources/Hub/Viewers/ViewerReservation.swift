package import NIOCore

/// A viewer that is about to come: an RTSP client between DESCRIBE and PLAY, or one that has paused. It counts as a viewer, so that
/// a pull on demand starts for it. It belongs to the event loop that it was made on.
package final class ViewerReservation {
    /// Why there is no description.
    package enum Failure: Error, Hashable, Sendable {
        /// Nobody publishes the stream, and nobody came within the time.
        case noPublisher
        /// It has nothing that RTSP carries, or nothing came within the time.
        case noMedia
        /// Given up meanwhile.
        case cancelled
    }

    package let stream: String
    package let app: String
    package let session: SessionInfo

    let loop: any EventLoop
    private let registry: StreamRegistry
    private var isHeld = true
    /// Has paused: it goes on with its figures.
    fileprivate let paused: Viewer?
    private var wait: (id: Int, timer: Scheduled<Void>, then: (Result<RTPOffer, Failure>) -> Void)?

    init(
        stream: String,
        app: String,
        session: SessionInfo,
        loop: any EventLoop,
        registry: StreamRegistry,
        paused: Viewer? = nil
    ) {
        self.paused = paused
        self.stream = stream
        self.app = app
        self.session = session
        self.loop = loop
        self.registry = registry
    }

    deinit {
        // Its owner has forgotten it: the viewer must not be counted for ever.
        if isHeld { registry.viewerLeft(stream, session, bytes: paused?.meter ?? ByteMeter()) }
    }

    /// Finds out what the stream consists of, waiting for its publisher where there is none yet.
    /// - Parameter then: called once, on the loop; at once when it is known.
    package func describe(
        within limit: TimeAmount,
        then: @escaping (Result<RTPOffer, Failure>) -> Void
    ) {
        loop.assertInEventLoop()
        finishWait(.failure(.cancelled))
        let id = registry.nextIdentifier()
        let bound = NIOLoopBound(self, eventLoop: loop)
        let loop = loop
        let known = registry.awaitDescription(of: stream, id: id) { offer in
            loop.execute { bound.value.told(id, offer) }
        }
        if let known {
            then(.success(known))
            return
        }
        let timer = loop.assumeIsolated().scheduleTask(in: limit) {
            let hasPublisher = self.registry.publication(of: self.stream) != nil
            self.finishWait(.failure(hasPublisher ? .noMedia : .noPublisher))
        }
        wait = (id, timer, then)
    }

    private func told(_ id: Int, _ offer: RTPOffer) {
        guard wait?.id == id else { return }
        finishWait(.success(offer))
    }

    private func finishWait(_ result: Result<RTPOffer, Failure>) {
        guard let wait else { return }
        self.wait = nil
        wait.timer.cancel()
        registry.stopAwaiting(wait.id, of: stream)
        wait.then(result)
    }

    /// The client is gone, or does not want to play any more.
    package func cancel() {
        loop.assertInEventLoop()
        finishWait(.failure(.cancelled))
        guard isHeld else { return }
        isHeld = false
        registry.viewerLeft(stream, session, bytes: paused?.meter ?? ByteMeter())
    }

    /// The viewer is there: it counts by itself now.
    func handOver() {
        isHeld = false
    }
}

extension Hub {
    /// Counts a viewer that is about to come, on the current loop.
    package func reserve(
        _ stream: String,
        app: String,
        session: SessionInfo,
        on loop: any EventLoop
    ) throws(HubError) -> ViewerReservation {
        _ = try dispatcher(of: loop)
        try registry.enterViewer(session, stream: stream, app: app, format: .rtsp)
        return ViewerReservation(stream: stream, app: app, session: session, loop: loop, registry: registry)
    }

    /// Keeps a reader's place while it pauses; `release` it then. It is the same viewer all the time, for limits and for those who
    /// are told of viewers.
    package func reserve(pausing viewer: Viewer, app: String) -> ViewerReservation {
        viewer.isCounted = false
        return ViewerReservation(
            stream: viewer.stream,
            app: app,
            session: viewer.session,
            loop: viewer.loop,
            registry: registry,
            paused: viewer
        )
    }

    /// Makes an RTSP client a reader, on the loop of its reservation and of its connection. See `view`.
    /// - Parameter onEnd: called when the Hub ends the reader; what it returns (RTCP BYE, interleaved) is sent last.
    package func read(
        _ reservation: ViewerReservation,
        _ reading: RTPReading,
        over delivery: RTPDelivery,
        onEnd: ((Viewer.CloseReason) -> ByteBuffer?)? = nil
    ) throws(HubError) -> Viewer {
        let dispatcher = try dispatcher(of: reservation.loop)
        reservation.handOver()
        let viewer = dispatcher.add(
            reservation.session,
            stream: reservation.stream,
            reading: reading,
            delivery: delivery,
            onEnd: onEnd
        )
        if var meter = reservation.paused?.meter {
            meter.readBytes &+= viewer.meter.readBytes
            meter.wroteBytes &+= viewer.meter.wroteBytes
            viewer.meter = meter
        }
        return viewer
    }
}
