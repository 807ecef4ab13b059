import CSockets
import NIOCore

extension LoopDispatcher {
    /// - Parameter prologue: sent through the pipeline, behind all that was written to the channel before.
    func add(
        _ session: SessionInfo,
        stream: String,
        format: WireFormat,
        channel: any Channel,
        sink: ViewerSink,
        prologue: ByteBuffer,
        startsLive: Bool = false,
        onEnd: ((Viewer.CloseReason) -> ByteBuffer?)?
    ) -> Viewer {
        loop.assertInEventLoop()
        let (readers, isNew) = readers(of: stream, format)
        let viewer = Viewer(
            session: session,
            stream: stream,
            readers: readers,
            channel: channel,
            descriptor: prepare(channel, sink),
            dispatcher: self,
            onEnd: onEnd
        )
        viewer.cursor.startsLive = startsLive
        enter(viewer, isFirst: isNew)
        write(prologue, to: viewer)
        return viewer
    }

    func readers(of stream: String, _ format: WireFormat) -> (LoopReaders, isNew: Bool) {
        let found = find(stream, format)
        return (found ?? LoopReaders(stream: stream, format: format), found == nil)
    }

    /// - Returns: nil when bytes go through the channel's pipeline.
    func prepare(_ channel: any Channel, _ sink: ViewerSink) -> CInt? {
        guard sink == .descriptor else { return nil }
        let descriptor = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
        if let descriptor { cs_prepare_viewer(descriptor, CInt(clamping: registry.configuration.unsentBytes)) }
        return descriptor
    }

    /// - Parameter isFirst: of its format on this loop.
    func enter(_ viewer: Viewer, isFirst: Bool) {
        let readers = viewer.readers
        readers.viewers.append(viewer)
        if isFirst {
            self.readers[viewer.stream, default: []].append(readers)
            registry.attach(
                StreamRegistry.Reader(dispatcher: self, format: readers.format, progress: readers.progress),
                to: viewer.stream
            )
        }
        startWatch()
        viewer.channel?.closeFuture.assumeIsolated().whenComplete { _ in
            self.remove(viewer)
        }
    }

    /// How long a viewer has to take its last bytes.
    private static let endTime = TimeAmount.seconds(1)

    /// Ends a viewer of our own accord: it gets a farewell where its protocol has one, then its channel is closed.
    func end(_ viewer: Viewer, because reason: Viewer.CloseReason, within limit: TimeAmount? = nil) {
        guard !viewer.isClosed, !viewer.isEnding else { return }
        let farewell = viewer.onEnd?(reason)
        viewer.onEnd = nil
        // Who is told that the stream is over shall have seen it to its end.
        let drains = reason == .publisherGone || reason == .shutdown
        guard drains || farewell != nil else {
            close(viewer, because: reason)
            return
        }
        viewer.answerAtOnce()
        if let datagrams = viewer.datagrams {
            if let farewell { send(farewell: farewell, datagrams) }
            close(viewer, because: reason)
            return
        }
        viewer.closeReason = reason
        viewer.isEnding = true
        if drains, viewer.cursor.isMapped, let view = viewer.readers.view {
            while convert(viewer, in: view) {}
        }
        viewer.cursor.finish(viewer.readers.view, drains: drains && !viewer.cursor.isMapped, farewell: farewell)
        let time = min(limit ?? Self.endTime, Self.endTime)
        viewer.endTimer = loop.assumeIsolated().scheduleTask(in: time) { self.close(viewer, because: reason) }
        pump(viewer)
    }

    /// Ends all viewers of this loop.
    /// - Returns: told when neither they nor publishers are left, or the time is over.
    func endViewers(within limit: TimeAmount) -> EventLoopFuture<Void> {
        loop.assertInEventLoop()
        let promise = onEmpty ?? loop.makePromise(of: Void.self)
        onEmpty = promise
        for readers in readers.values.flatMap({ $0 }) {
            for viewer in readers.viewers { end(viewer, because: .shutdown, within: limit) }
        }
        loop.assumeIsolated().scheduleTask(in: limit) { self.succeedEmpty() }
        checkEmpty()
        return promise.futureResult
    }

    func checkEmpty() {
        if onEmpty != nil, readers.isEmpty, publishers.isEmpty { succeedEmpty() }
    }

    private func succeedEmpty() {
        onEmpty?.succeed()
        onEmpty = nil
    }

    func close(_ viewer: Viewer, because reason: Viewer.CloseReason) {
        guard !viewer.isClosed else { return }
        viewer.closeReason = reason
        viewer.channel?.close(promise: nil)
        remove(viewer)
    }

    /// All that an ending viewer was to get has gone.
    func finish(_ viewer: Viewer) {
        guard let onRelease = viewer.onRelease else {
            close(viewer, because: viewer.closeReason)
            return
        }
        remove(viewer)
        onRelease()
    }

    func release(_ viewer: Viewer, sending last: ByteBuffer, then: @escaping () -> Void) {
        loop.assertInEventLoop()
        guard !viewer.isClosed, !viewer.isEnding else { return }
        // The answer to PLAY is still to come: it goes out first.
        viewer.answerAtOnce()
        viewer.onEnd = nil
        viewer.onRelease = then
        viewer.isEnding = true
        viewer.cursor.finish(viewer.readers.view, drains: false, farewell: last)
        viewer.endTimer = loop.assumeIsolated().scheduleTask(in: registry.configuration.stallTimeout) {
            self.close(viewer, because: .stalled)
        }
        pump(viewer)
    }

    func remove(_ viewer: Viewer) {
        guard !viewer.isClosed else { return }
        viewer.isClosed = true
        viewer.endTimer?.cancel()
        viewer.endTimer = nil
        viewer.onEnd = nil
        viewer.onRelease = nil
        viewer.answer = nil
        let readers = viewer.readers
        readers.remove(viewer)
        viewer.cursor = ViewerCursor()
        if readers.viewers.isEmpty {
            readers.view = nil
            self.readers[viewer.stream]?.removeAll { $0 === readers }
            if self.readers[viewer.stream]?.isEmpty == true { self.readers[viewer.stream] = nil }
            registry.detach(self, from: viewer.stream, as: readers.format)
        }
        if viewer.isCounted { registry.viewerLeft(viewer.stream, viewer.session, bytes: viewer.meter) }
        checkEmpty()
    }
}
