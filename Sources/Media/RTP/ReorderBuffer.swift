package import NIOCore

/// Puts the packets of one RTP source in order and names what is missing.
///
/// A packet in order passes at once and is never copied: the caller reads it in place. Only a packet that came too early
/// is copied and waits for its predecessors, for 200 ms and 512 packets at the most.
package struct ReorderBuffer {
    /// What to do with the packet that was just given.
    package enum Verdict: Equatable, Sendable {
        /// Use it now, after the break if there is one; then ask `next()` until it is nil.
        case pass(after: Break?)
        /// It was copied; ask `next()` until it is nil.
        case held
        /// A duplicate, or too late.
        case dropped
    }

    package enum Break: Equatable, Sendable {
        /// So many packets never came.
        case gap(Int)
        /// The sender began a new sequence.
        case restart
    }

    package enum Output: Equatable, Sendable {
        case packet([UInt8])
        case broken(Break)
    }

    package struct Statistics: Equatable, Sendable {
        /// Packets that never came, or came too late.
        package var lost = 0
        package var gaps = 0
        package var duplicates = 0
        /// Came after the wait for them was over.
        package var late = 0
        /// Came early and waited.
        package var reordered = 0
        package var restarts = 0
    }

    private static let slotCount = 512
    /// A step forward beyond this is a new sequence, not loss (RFC 3550 A.1 MAX_DROPOUT).
    private static let largestDropout = 3000
    /// This many packets in sequence, all "late", are a sender that began anew a little lower.
    private static let lateRunThatRestarts = 8
    private static let runThatCounts = 16
    private static let largestHeldBytes = 2 << 20

    /// How long a gap is waited for. Zero for media over TCP, where order is given and a gap is the camera's own.
    private let wait: TimeAmount
    private var expected: UInt16?
    private var slots: [[UInt8]?] = []
    private var heldCount = 0
    private var heldBytes = 0
    private var gapSince: NIODeadline?
    private var queue: [Output] = []
    private var stray: (next: UInt16, run: Int, packet: [UInt8])?
    /// Which of the last 64 before `expected` were used; bit 0 is the newest.
    private var history: UInt64 = 0
    package private(set) var statistics = Statistics()

    package init(wait: TimeAmount = .milliseconds(200)) {
        self.wait = wait
    }

    /// When `advance` gives up on the oldest gap.
    package var deadline: NIODeadline? {
        gapSince.map { $0 + wait }
    }

    /// Forgets the source: the next packet is the first.
    package mutating func reset() {
        expected = nil
        clear()
    }

    private mutating func clear() {
        slots = []
        heldCount = 0
        heldBytes = 0
        gapSince = nil
        queue = []
        stray = nil
        history = 0
    }

    @inline(__always)
    package mutating func receive(_ sequenceNumber: UInt16, _ packet: RawSpan, now: NIODeadline) -> Verdict {
        guard let expected, sequenceNumber == expected else {
            return receiveOutOfOrder(sequenceNumber, packet, now: now)
        }
        accept(sequenceNumber)
        if heldCount > 0 { gapSince = now }
        return .pass(after: nil)
    }

    @inline(__always)
    private mutating func accept(_ sequenceNumber: UInt16) {
        expected = sequenceNumber &+ 1
        history = history << 1 | 1
        stray = nil
    }

    private mutating func receiveOutOfOrder(_ number: UInt16, _ packet: RawSpan, now: NIODeadline) -> Verdict {
        guard let expected else {
            accept(number)
            return .pass(after: nil)
        }
        let step = Int(Int16(bitPattern: number &- expected))
        switch step {
        case 1..<Self.largestDropout where wait == .zero:
            skip(step)
            accept(number)
            return .pass(after: .gap(step))
        case 1..<Self.slotCount:
            return hold(number, packet, now: now)
        case Self.slotCount..<Self.largestDropout:
            // Too far ahead to wait for: what is held goes out, then the gap, then this one.
            while heldCount > 0 { releaseToNextHeld() }
            let missing = Int(Int16(bitPattern: number &- (self.expected ?? number)))
            if missing > 0 {
                skip(missing)
                queue.append(.broken(.gap(missing)))
            }
            queue.append(.packet(packet.array(0..<packet.byteCount)))
            accept(number)
            return .held
        default:
            return wait == .zero
                ? receiveUncounted(number, step: step) : receiveStray(number, packet, step: step, now: now)
        }
    }

    /// Over TCP order is given: a number that does not rise is a camera that began anew, or one that does not count.
    private mutating func receiveUncounted(_ number: UInt16, step: Int) -> Verdict {
        let counted = (~history).trailingZeroBitCount >= Self.runThatCounts && step != -1
        clear()
        expected = number &+ 1
        guard counted else { return .pass(after: nil) }
        statistics.restarts += 1
        return .pass(after: .restart)
    }

    /// A packet behind us, or so far ahead that it must be another sequence.
    private mutating func receiveStray(_ number: UInt16, _ packet: RawSpan, step: Int, now: NIODeadline) -> Verdict {
        let isBehind = step < 0 && step > -Self.slotCount
        if isBehind {
            if step >= -64, history >> UInt64(-step - 1) & 1 == 1 {
                statistics.duplicates += 1
            } else {
                statistics.late += 1
            }
        }
        guard let last = stray, last.next == number else {
            stray = (number &+ 1, 1, packet.array(0..<packet.byteCount))
            return .dropped
        }
        let run = last.run + 1
        guard run >= (isBehind ? Self.lateRunThatRestarts : 2) else {
            stray = (number &+ 1, run, packet.array(0..<packet.byteCount))
            return .dropped
        }
        clear()
        statistics.restarts += 1
        queue = [
            .broken(.restart), .packet(last.packet), .packet(packet.array(0..<packet.byteCount)),
        ]
        history = 3
        expected = number &+ 1
        return .held
    }

    private mutating func hold(_ number: UInt16, _ packet: RawSpan, now: NIODeadline) -> Verdict {
        if slots.isEmpty { slots = Array(repeating: nil, count: Self.slotCount) }
        let slot = Int(number) & (Self.slotCount - 1)
        guard slots[slot] == nil else {
            statistics.duplicates += 1
            return .dropped
        }
        slots[slot] = packet.array(0..<packet.byteCount)
        heldCount += 1
        heldBytes += packet.byteCount
        statistics.reordered += 1
        if gapSince == nil { gapSince = now }
        if heldBytes > Self.largestHeldBytes { releaseToNextHeld() }
        return .held
    }

    private mutating func skip(_ count: Int) {
        statistics.lost += count
        statistics.gaps += 1
        history = count < 64 ? history << UInt64(count) : 0
    }

    /// The next packet or break that is due, or nil.
    package mutating func next() -> Output? {
        if !queue.isEmpty { return queue.removeFirst() }
        guard heldCount > 0, let expected else { return nil }
        return takeHeld(expected).map { .packet($0) }
    }

    private mutating func takeHeld(_ number: UInt16) -> [UInt8]? {
        let slot = Int(number) & (Self.slotCount - 1)
        guard slot < slots.count, let packet = slots[slot] else { return nil }
        slots[slot] = nil
        heldCount -= 1
        heldBytes -= packet.count
        if heldCount == 0 { gapSince = nil }
        accept(number)
        return packet
    }

    /// Gives up on gaps that have been waited for long enough; then ask `next()` until it is nil.
    package mutating func advance(to now: NIODeadline) {
        while let due = deadline, due <= now, heldCount > 0 {
            releaseToNextHeld()
            // A later gap among the held packets is as old as they are.
        }
    }

    /// Queues the gap before the first held packet, and the packets that follow it in sequence.
    private mutating func releaseToNextHeld() {
        guard heldCount > 0, let expected else { return }
        var missing = 0
        while missing < Self.slotCount, slots[Int(expected &+ UInt16(missing)) & (Self.slotCount - 1)] == nil {
            missing += 1
        }
        if missing > 0 {
            skip(missing)
            queue.append(.broken(.gap(missing)))
            self.expected = expected &+ UInt16(missing)
        }
        while let number = self.expected, let packet = takeHeld(number) {
            queue.append(.packet(packet))
        }
    }
}
