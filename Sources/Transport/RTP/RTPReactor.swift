internal import CSockets
internal import Glibc
package import NIOCore

/// Drains one event loop's media sockets on a tick.
///
/// Waking for every packet costs three to four times as much as looking every 5 ms: the sockets, UDP and TCP, are in an
/// epoll set of their own, which a task of the loop polls, and datagrams come in batches into one slab per loop.
/// The class belongs to its loop: call it there only.
package final class RTPReactor {
    package struct Statistics: Equatable, Sendable {
        package var sockets = 0
        package var receivers = 0
        package var drains = 0
        package var datagrams = 0
        /// Drains that stopped at their time limit with sockets still ready.
        package var overloads = 0
        /// Connections that could not be accepted, mostly because the process has no descriptor left.
        package var acceptFailures = 0
    }

    package let eventLoop: any EventLoop
    package internal(set) var statistics = Statistics()

    let slab: ReceiveSlab
    private let epoll: Descriptor
    private let tick: TimeAmount
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var members: [ObjectIdentifier: any ReactorMember] = [:]
    private var touched: [MediaReceiver] = []
    private var task: RepeatedTask?
    private var taskInterval: TimeAmount?
    private var lastService = NIODeadline.uptimeNanoseconds(0)

    private struct Slot {
        var socket: (any ReactorSocket)?
        /// Tells an event of the slot's former owner from one of the present.
        var generation: UInt32 = 0
    }

    private static let serviceInterval = TimeAmount.milliseconds(50)
    private static let longestDrain = TimeAmount.milliseconds(10)

    /// - Parameter tick: how long a packet may lie in its socket before it is looked at.
    package init(eventLoop: any EventLoop, tick: TimeAmount = .milliseconds(5)) throws(SystemError) {
        let descriptor = cs_epoll_create()
        guard descriptor >= 0 else { throw SystemError(errno: -descriptor) }
        epoll = Descriptor(owning: descriptor)
        slab = try ReceiveSlab()
        self.eventLoop = eventLoop
        self.tick = tick
    }

    /// Closes every receiver of the loop.
    package func shutdown() {
        for member in Array(members.values) { member.close() }
    }

    func add(_ member: any ReactorMember) {
        eventLoop.assertInEventLoop()
        members[ObjectIdentifier(member)] = member
        statistics.receivers = members.count
        schedule()
    }

    func remove(_ member: any ReactorMember) {
        eventLoop.assertInEventLoop()
        guard members.removeValue(forKey: ObjectIdentifier(member)) != nil else { return }
        statistics.receivers = members.count
        schedule()
    }

    /// Has `socket` called when `descriptor` is ready, until `remove` with the token that is returned.
    func add(_ socket: any ReactorSocket, _ descriptor: Int32, writable: Bool = false) throws(SystemError) -> UInt64 {
        eventLoop.assertInEventLoop()
        let slot = freeSlots.popLast() ?? slots.count
        if slot == slots.count { slots.append(Slot()) }
        let token = UInt64(slots[slot].generation) << 32 | UInt64(slot)
        let events = writable ? CS_WRITABLE : CS_READABLE
        let result = cs_epoll_add(epoll.number, descriptor, UInt32(events), token)
        guard result == 0 else {
            freeSlots.append(slot)
            throw SystemError(errno: -result)
        }
        slots[slot].socket = socket
        statistics.sockets += 1
        schedule()
        return token
    }

    func remove(_ token: UInt64, _ descriptor: Int32) {
        eventLoop.assertInEventLoop()
        let slot = Int(token & 0xFFFF_FFFF)
        guard slot < slots.count, slots[slot].generation == UInt32(token >> 32), slots[slot].socket != nil else {
            return
        }
        _ = cs_epoll_remove(epoll.number, descriptor)
        slots[slot].socket = nil
        slots[slot].generation &+= 1
        freeSlots.append(slot)
        statistics.sockets -= 1
        schedule()
    }

    /// Has the receiver's sink ticked at the end of the running drain.
    func touch(_ receiver: MediaReceiver) {
        touched.append(receiver)
    }

    /// Runs while there is something to look at, and then no more often than needed.
    private func schedule() {
        let wanted: TimeAmount? =
            statistics.sockets > 0 ? tick : members.isEmpty ? nil : max(tick, Self.serviceInterval)
        guard wanted != taskInterval else { return }
        taskInterval = wanted
        task?.cancel()
        task = nil
        guard let wanted else { return }
        let reactor = NIOLoopBound(self, eventLoop: eventLoop)
        task = eventLoop.scheduleRepeatedTask(initialDelay: wanted, delay: wanted) { _ in reactor.value.run() }
    }

    private func run() {
        var now = eventLoop.now
        if statistics.sockets > 0 { now = drain(from: now) }
        guard now - lastService >= Self.serviceInterval else { return }
        lastService = now
        for member in members.values { member.service(now: now) }
    }

    private func drain(from start: NIODeadline) -> NIODeadline {
        statistics.drains &+= 1
        var now = start
        while true {
            let count = Int(cs_epoll_poll(epoll.number, slab.ready, Int32(ReceiveSlab.readyCount)))
            guard count > 0 else { return now }
            var isMore = count == ReceiveSlab.readyCount
            for index in 0..<count {
                let ready = slab.ready[index]
                let slot = Int(ready.token & 0xFFFF_FFFF)
                guard slot < slots.count, slots[slot].generation == UInt32(ready.token >> 32),
                    let socket = slots[slot].socket
                else { continue }
                if socket.ready(now: now) { isMore = true }
            }
            let receivers = touched
            touched.removeAll(keepingCapacity: true)
            for receiver in receivers { receiver.drained(now: now) }
            guard isMore else { return now }
            now = eventLoop.now
            if now - start > Self.longestDrain {
                statistics.overloads += 1
                return now
            }
        }
    }
}

/// A socket of the reactor's epoll set.
protocol ReactorSocket: AnyObject {
    /// Reads or writes what there is, up to a limit that is fair to the other sockets of the loop.
    ///
    /// - Returns: true when the limit ended it.
    func ready(now: NIODeadline) -> Bool
}

/// What has timers of its own on the reactor.
protocol ReactorMember: AnyObject {
    /// Called about every 50 ms.
    func service(now: NIODeadline)
    func close()
}
