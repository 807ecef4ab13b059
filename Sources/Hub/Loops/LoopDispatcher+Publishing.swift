import NIOCore

extension LoopDispatcher {
    /// How long what is new waits at the present load to be sent together.
    var window: TimeAmount {
        registry.configuration.mergeWriteBytes > 0 ? registry.load.maximum : registry.load.window
    }

    /// A publisher has something new: it goes out with all else that is new in this loop's turn, or within the merge window
    /// from now on.
    /// - Parameter waited: what of the window has passed.
    func scheduleFlush(of publisher: StreamPublisher, waited: TimeAmount) {
        unflushed.append(publisher)
        let window = max(self.window - waited, .nanoseconds(0))
        let time = loop.now + window
        if let flushTime, flushTime <= time { return }
        flushTimer?.cancel()
        flushTime = time
        if window == .nanoseconds(0) {
            flushTimer = nil
            loop.execute { self.flush() }
        } else {
            flushTimer = loop.assumeIsolated().scheduleTask(deadline: time) { self.flush() }
        }
    }

    /// Enough waits: it goes out in this loop's turn.
    func flushSoon() {
        guard let flushTime, flushTime > loop.now else { return }
        flushTimer?.cancel()
        flushTimer = nil
        self.flushTime = loop.now
        loop.execute { self.flush() }
    }

    private func flush() {
        flushTime = nil
        flushTimer = nil
        var batches: [(loop: LoopDispatcher, messages: [Message])] = []
        let publishers = unflushed
        unflushed.removeAll(keepingCapacity: true)
        for publisher in publishers {
            publisher.isUnflushed = false
            publisher.flush { loop, message in
                if let index = batches.firstIndex(where: { $0.loop === loop }) {
                    batches[index].messages.append(message)
                } else {
                    batches.append((loop, [message]))
                }
            }
        }
        for (loop, messages) in batches { loop.deliver(messages) }
    }

    /// Lends the common scratch buffer, empty.
    func withScratch(_ body: (inout ByteBuffer) -> Void) {
        scratch.clear()
        body(&scratch)
        if scratch.capacity > 1 << 20 { scratch = ByteBuffer() }
    }

    /// Lays out a message in the common scratch buffer and lends the bytes.
    func withScratch(
        write: (inout ByteBuffer) -> Void,
        read: (UnsafeRawBufferPointer) -> Void
    ) {
        withScratch { bytes in
            write(&bytes)
            bytes.withUnsafeReadableBytes(read)
        }
    }
}
