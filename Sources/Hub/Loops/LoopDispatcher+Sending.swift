import CSockets
import Glibc
import NIOCore

extension LoopDispatcher {
    /// After so many sends, or so long, others of the loop have their turn.
    private static let sendsInTurn = 256
    private static let turn = TimeAmount.milliseconds(2)
    /// What one send takes at the most, more or less.
    private static let bytesInSend = 256 * 1024
    /// Sends to one viewer in one go: one that catches up with a whole GOP shall not hold the others.
    private static let sendsToViewer = 4
    /// What NIO is given when the socket is full: as little as can be, since it is copied. NIO then says when to go on.
    private static let parkedBytes = 4096
    /// What a channel is given that takes no bytes past its pipeline.
    private static let channelBytes = 64 * 1024

    func enqueue(_ readers: LoopReaders) {
        readers.next = 0
        guard !readers.isQueued else { return }
        readers.isQueued = true
        round.append(readers)
    }

    /// Sends to all viewers of the round what they do not have yet.
    func send() {
        guard !isSending, !round.isEmpty else { return }
        isSending = true
        defer { isSending = false }
        let end = loop.now + Self.turn
        var sends = 0
        while let readers = round.first {
            while readers.next < readers.viewers.count {
                if sends >= Self.sendsInTurn || (sends & 31 == 31 && loop.now >= end) {
                    loop.execute { self.send() }
                    return
                }
                let viewer = readers.viewers[readers.next]
                readers.next &+= 1
                sends &+= pump(viewer)
            }
            readers.tellProgress()
            readers.isQueued = false
            round.removeFirst()
        }
    }

    /// Sends to one viewer until it has all, or its socket is full.
    /// - Returns: the number of sends.
    @discardableResult
    func pump(_ viewer: Viewer) -> Int {
        guard !viewer.isBlocked, !viewer.isClosed else { return 0 }
        let view = viewer.readers.view
        if let view { start(viewer, in: view) }
        if let datagrams = viewer.datagrams { return send(datagrams, of: viewer, in: view) }
        var sends = 0
        while true {
            if viewer.cursor.isMapped, let view { map(viewer, in: view) }
            let (count, bytes) = viewer.cursor.gather(
                from: viewer.cursor.isMapped ? nil : view,
                into: vectors,
                limit: Self.bytesInSend
            )
            guard bytes > 0 else {
                if viewer.isEnding { finish(viewer) }
                return sends
            }
            if sends == Self.sendsToViewer {
                loop.assumeIsolated().execute {
                    self.enqueue(viewer.readers)
                    self.send()
                }
                return sends
            }
            // The descriptor's number may be another connection's once the channel is closed.
            guard viewer.channel?.isActive == true else { return sends }
            sends &+= 1
            guard let descriptor = viewer.descriptor else {
                if !park(viewer, in: view, bytes: min(bytes, Self.channelBytes)) { return sends }
                continue
            }
            let result =
                count == 1
                ? cs_send(descriptor, vectors[0].iov_base, vectors[0].iov_len)
                : cs_sendv(descriptor, vectors.baseAddress, CInt(count))
            guard result >= 0 || result == -Int(EAGAIN) else {
                close(viewer, because: .sendFailed)
                return sends
            }
            let sent = max(0, result)
            statistics.sends &+= 1
            statistics.sentBytes &+= sent
            viewer.meter.wroteBytes &+= sent
            viewer.cursor.advance(by: sent, in: view)
            if sent < bytes {
                statistics.parks &+= 1
                if !park(viewer, in: view, bytes: min(bytes &- sent, Self.parkedBytes)) { return sends }
            }
        }
    }

    /// Gives NIO the next bytes and waits until it has written them.
    /// - Returns: true when it wrote them at once.
    private func park(_ viewer: Viewer, in view: LogView?, bytes: Int) -> Bool {
        var buffer = ByteBufferAllocator().buffer(capacity: bytes)
        let (count, _) = viewer.cursor.gather(from: viewer.cursor.isMapped ? nil : view, into: vectors, limit: bytes)
        for vector in vectors.prefix(count) {
            let part = min(vector.iov_len, bytes &- buffer.readableBytes)
            buffer.writeBytes(UnsafeRawBufferPointer(start: vector.iov_base, count: part))
        }
        viewer.cursor.advance(by: buffer.readableBytes, in: view)
        viewer.meter.wroteBytes &+= buffer.readableBytes
        statistics.sentBytes &+= buffer.readableBytes
        viewer.progressed = loop.now
        viewer.isParking = true
        write(buffer, to: viewer)
        viewer.isParking = false
        return !viewer.isBlocked
    }

    /// Writes through the pipeline; the viewer is blocked until that is done.
    func write(_ buffer: ByteBuffer, to viewer: Viewer) {
        viewer.isBlocked = true
        let promise = loop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success:
                viewer.isBlocked = false
                viewer.progressed = self.loop.now
                if !viewer.isParking { self.pump(viewer) }
            case .failure:
                self.close(viewer, because: .sendFailed)
            }
        }
        viewer.channel?.writeAndFlush(buffer, promise: promise)
    }

    func send(control bytes: ByteBuffer, to viewer: Viewer) {
        loop.assertInEventLoop()
        guard !viewer.isClosed, !viewer.isEnding, bytes.readableBytes > 0 else { return }
        guard viewer.cursor.controlBytes &+ ViewerCursor.memory(of: bytes.readableBytes) <= Viewer.controlLimit else {
            statistics.droppedControls &+= 1
            return
        }
        viewer.cursor.insert(ByteBlock(bytes), in: viewer.readers.view)
        pump(viewer)
    }
}
