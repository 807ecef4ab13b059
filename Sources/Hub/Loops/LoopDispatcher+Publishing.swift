import NIOCore

extension LoopDispatcher {
    /// A publisher has something new: it goes out with all else that is new in this loop's turn, or within the merge window
    /// from now on.
    func scheduleFlush(of publisher: StreamPublisher) {
        unflushed.append(publisher)
        let window = registry.load.window
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

    /// Lays out a message in the common scratch buffer and lends the bytes.
    func withScratch(
        write: (inout ByteBuffer) -> Void,
        read: (UnsafeRawBufferPointer) -> Void
    ) {
        scratch.clear()
        write(&scratch)
        scratch.withUnsafeReadableBytes(read)
        if scratch.capacity > 1 << 20 { scratch = ByteBuffer() }
    }
}
