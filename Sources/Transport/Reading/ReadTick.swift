import CSockets
import Glibc
import NIOCore

/// Reads the publishers of one event loop together while they send much.
///
/// More than half of what a publisher costs is that the loop wakes for each of its messages. With the tick it wakes 10 to 100
/// times a second however many publishers it has, and reads each of them no more often than its viewers need: messages that would
/// wait in the Hub to be sent together wait in the socket, and are one read. It belongs to its loop.
final class ReadTick {
    /// What a socket gives in one tick at the most, and each part of it that is handed on: who sends faster, as a file does, has to
    /// wait, and viewers on other loops are fed between two ticks.
    private static let bytesInRead = 128 * 1024
    private static let readsOfSocket = 2
    /// After a longer read the next comes soon: the peer may be waiting for room in the socket.
    private static let largeRead = 64 * 1024
    private static let longestTurn = TimeAmount.milliseconds(5)
    static let interval = TimeAmount.milliseconds(10)
    private static let longestPeriod = 10
    private static let measureInterval = TimeAmount.milliseconds(500)

    private struct Entry {
        let descriptor: CInt
        /// In ticks. Sockets of the same period are read in the same ticks, those whose numbers are multiples of it.
        var period = 1
        /// Number of the tick that is to read it.
        var due: Int
        let socket: TickedSocket
    }

    private let loop: any EventLoop
    private let messagesBeforeTicking: Int
    private var entries: [Entry] = []
    /// The entry that is next, and how many are to be looked at in this tick.
    private var next = 0
    private var remaining = 0
    private var buffer = ByteBuffer()
    private var messages = 0
    private var number = 0
    private(set) var isTicking = false
    private var timer: Scheduled<Void>?
    private var watch: RepeatedTask?

    /// - Parameter messagesBeforeTicking: up to so many messages a second on the loop each is read when it comes. Negative: the
    ///   tick runs from the first socket on.
    init(loop: any EventLoop, messagesBeforeTicking: Int) {
        self.loop = loop
        self.messagesBeforeTicking = messagesBeforeTicking
    }

    func add(_ socket: TickedSocket) {
        loop.assertInEventLoop()
        entries.append(Entry(descriptor: socket.descriptor, due: number, socket: socket))
        if messagesBeforeTicking < 0 { setTicking(true) }
        socket.setTicked(isTicking)
        guard watch == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        watch = loop.scheduleRepeatedTask(initialDelay: Self.measureInterval, delay: Self.measureInterval) { _ in
            bound.value.measure()
        }
    }

    /// Gives the socket back to its channel.
    func remove(_ socket: TickedSocket) {
        loop.assertInEventLoop()
        guard let index = entries.firstIndex(where: { $0.socket === socket }) else { return }
        entries.swapAt(index, entries.count &- 1)
        entries.removeLast()
        socket.setTicked(false)
        guard entries.isEmpty else { return }
        watch?.cancel()
        watch = nil
        messages = 0
        setTicking(false)
    }

    /// Messages that have come on the loop, in either way.
    func count(messages: Int) {
        self.messages &+= messages
    }

    /// Once begun it ends at half of the rate that it began at.
    private func measure() {
        let rate = messages &* Int(TimeAmount.seconds(1).nanoseconds / Self.measureInterval.nanoseconds)
        messages = 0
        setTicking(rate > (isTicking ? messagesBeforeTicking / 2 : messagesBeforeTicking))
    }

    private func setTicking(_ ticks: Bool) {
        guard ticks != isTicking else { return }
        isTicking = ticks
        timer?.cancel()
        timer = nil
        remaining = 0
        if ticks { schedule(at: loop.now + Self.interval) }
        for entry in entries { entry.socket.setTicked(ticks) }
    }

    private func schedule(at time: NIODeadline) {
        timer?.cancel()
        timer = loop.assumeIsolated().scheduleTask(deadline: time) { self.turn() }
    }

    private func turn() {
        // Whoever is handed bytes may have the tick end.
        var buffer = self.buffer
        self.buffer = ByteBuffer()
        defer { self.buffer = isTicking ? buffer : ByteBuffer() }
        let start = loop.now
        if remaining == 0 { remaining = entries.count }
        // Sockets may leave meanwhile: one that is passed over for it has its turn at the next tick.
        while remaining > 0, isTicking {
            remaining &-= 1
            if next >= entries.count { next = 0 }
            let index = next
            next &+= 1
            guard entries[index].due <= number else { continue }
            read(at: index, into: &buffer)
            if remaining & 15 == 0, loop.now >= start + Self.longestTurn { break }
        }
        guard isTicking else { return }
        guard remaining == 0 else {
            schedule(at: start)
            return
        }
        let following = entries.reduce(number &+ Self.longestPeriod) { min($0, $1.due) }
        schedule(at: start + Self.interval * (following &- number))
        number = following
    }

    private func read(at index: Int, into buffer: inout ByteBuffer) {
        let entry = entries[index]
        entries[index].due = Self.due(after: number, period: entry.period)
        for _ in 0..<Self.readsOfSocket {
            // Who keeps a part of what was read has the next read begin with new memory.
            buffer.clear(minimumCapacity: Self.bytesInRead)
            var result = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.bytesInRead) { room in
                result = cs_receive(entry.descriptor, room.baseAddress, Self.bytesInRead)
                return max(0, result)
            }
            guard result > 0 else {
                // The end of the stream, or an error that the channel is to find.
                if result != -Int(EAGAIN) { entry.socket.setTicked(false) }
                return
            }
            entry.socket.receive(buffer, Self.interval * entry.period)
            // It may have left, and even closed: then the descriptor's number may be that of another connection.
            guard index < entries.count, entries[index].socket === entry.socket else { return }
            let patience = result < Self.largeRead ? entry.socket.patience() : Self.interval
            entries[index].period = Self.period(patience)
            entries[index].due = Self.due(after: number, period: entries[index].period)
            guard result == Self.bytesInRead, entry.socket.isTicked else { return }
        }
    }

    static func period(_ patience: TimeAmount) -> Int {
        min(max(Int(patience.nanoseconds / interval.nanoseconds), 1), longestPeriod)
    }

    /// The next multiple of the period.
    static func due(after number: Int, period: Int) -> Int {
        (number / period &+ 1) &* period
    }
}
