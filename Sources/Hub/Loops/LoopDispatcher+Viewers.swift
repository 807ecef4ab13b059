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
        prologue: ByteBuffer
    ) -> Viewer {
        loop.assertInEventLoop()
        let found = find(stream, format)
        let readers = found ?? LoopReaders(stream: stream, format: format)
        var descriptor: CInt?
        if sink == .descriptor {
            descriptor = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { $0 }
        }
        if let descriptor { cs_prepare_viewer(descriptor, CInt(clamping: registry.configuration.unsentBytes)) }
        let viewer = Viewer(
            session: session,
            stream: stream,
            readers: readers,
            channel: channel,
            descriptor: descriptor,
            dispatcher: self
        )
        readers.viewers.append(viewer)
        if found == nil {
            self.readers[stream, default: []].append(readers)
            registry.attach(self, to: stream, as: format)
        }
        startWatch()
        write(prologue, to: viewer)
        channel.closeFuture.assumeIsolated().whenComplete { _ in
            self.remove(viewer)
        }
        return viewer
    }

    func close(_ viewer: Viewer, because reason: Viewer.CloseReason) {
        guard !viewer.isClosed else { return }
        viewer.closeReason = reason
        viewer.channel.close(promise: nil)
        remove(viewer)
    }

    func remove(_ viewer: Viewer) {
        guard !viewer.isClosed else { return }
        viewer.isClosed = true
        let readers = viewer.readers
        readers.remove(viewer)
        viewer.cursor = ViewerCursor()
        if readers.viewers.isEmpty {
            readers.view = nil
            self.readers[viewer.stream]?.removeAll { $0 === readers }
            if self.readers[viewer.stream]?.isEmpty == true { self.readers[viewer.stream] = nil }
            registry.detach(self, from: viewer.stream, as: readers.format)
        }
        registry.viewerLeft(viewer.stream, viewer.session, bytes: viewer.meter)
    }
}
