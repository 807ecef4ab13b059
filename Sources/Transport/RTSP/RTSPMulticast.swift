import CSockets
import Glibc
import Hub
import Media
import NIOCore
import Streaming
import Synchronization

/// Where streams are multicast to.
package struct RTSPMulticastOptions: Sendable {
    /// The first address, such as 224.1.0.0; each media of each stream has one of its own from there on.
    package var firstGroup: UInt32
    package var groupCount: Int
    /// Of all groups; RTCP has the next.
    package var port: UInt16
    package var ttl: UInt8
    /// The IPv4 address of the interface; empty: as the system's routes say.
    package var interface: String

    let groups = RTSPMulticastGroups()

    /// - Parameter range: `224.1.0.0/16`.
    /// - Returns: nil for what is no range of multicast addresses.
    package init?(range: String, port: UInt16, ttl: UInt8 = 16, interface: String = "") {
        let parts = range.split(separator: "/", maxSplits: 1)
        let octets = parts.first?.split(separator: ".").compactMap { UInt8($0) } ?? []
        guard octets.count == 4, (224...239).contains(octets[0]),
            let bits = parts.count > 1 ? Int(parts[1]) : 32, (8...32).contains(bits), port > 0, port < .max
        else { return nil }
        firstGroup = octets.reduce(0) { $0 << 8 | UInt32($1) }
        groupCount = 1 << (32 - bits)
        self.port = port
        self.ttl = ttl
        self.interface = interface
    }

    /// The address of a media; it is kept for the stream from the first question on.
    func group(ofStream stream: String, media: Int) -> String {
        let number = groups.number(stream, media: media, count: groupCount)
        let address = firstGroup &+ UInt32(truncatingIfNeeded: number)
        return [24, 16, 8, 0].map { String(address >> UInt32($0) & 0xFF) }.joined(separator: ".")
    }

    func grant(stream: String, media: Int) -> RTSPGrant.Multicast {
        RTSPGrant.Multicast(
            destination: group(ofStream: stream, media: media),
            port: RTSPPorts(port, port &+ 1),
            ttl: ttl
        )
    }
}

/// The streams that are multicast now, and which addresses they have.
final class RTSPMulticastGroups: Sendable {
    private struct Key: Hashable {
        let stream: String
        let media: Int
    }

    private struct State {
        var numbers: [Key: Int] = [:]
        var next = 0
        var senders: [String: RTSPMulticastSender] = [:]
    }

    private let state = Mutex(State())

    func number(_ stream: String, media: Int, count: Int) -> Int {
        state.withLock { state in
            if let number = state.numbers[Key(stream: stream, media: media)] { return number }
            // With more streams than addresses the oldest are used again.
            let number = state.next % max(count, 1)
            state.next = number + 1
            if state.numbers.count >= count { state.numbers = state.numbers.filter { $0.value != number } }
            state.numbers[Key(stream: stream, media: media)] = number
            return number
        }
    }

    /// Counts a reader; the first one opens the sockets and begins to send.
    func join(
        _ address: StreamAddress,
        _ offer: RTPOffer,
        hub: Hub,
        options: RTSPMulticastOptions,
        on loop: any EventLoop,
        onEnd: @escaping @Sendable () -> Void
    ) throws -> RTSPMulticastGroup {
        let (sender, member, isFirst) = state.withLock { state in
            let present = state.senders[address.stream]
            let sender = present ?? RTSPMulticastSender(loop: loop)
            state.senders[address.stream] = sender
            return (sender, sender.add(onEnd), present == nil)
        }
        if isFirst {
            do {
                try sender.start(address, offer, hub: hub, options: options) { [self] in
                    end(sender, of: address.stream)
                }
            } catch {
                _ = sender.remove(member)
                end(sender, of: address.stream)
                throw error
            }
        }
        return RTSPMulticastGroup(groups: self, stream: address.stream, sender: sender, member: member)
    }

    /// Who comes now gets another sender; who was there is told.
    private func end(_ sender: RTSPMulticastSender, of stream: String) {
        let members = state.withLock { state in
            if state.senders[stream] === sender { state.senders[stream] = nil }
            return sender.removeAll()
        }
        for told in members { told() }
    }

    fileprivate func leave(_ group: RTSPMulticastGroup) {
        let isLast = state.withLock { state in
            guard group.sender.remove(group.member) else { return false }
            if state.senders[group.stream] === group.sender { state.senders[group.stream] = nil }
            return true
        }
        if isLast { group.sender.stop() }
    }
}

/// A reader's share in a multicast stream.
struct RTSPMulticastGroup {
    fileprivate let groups: RTSPMulticastGroups
    fileprivate let stream: String
    fileprivate let sender: RTSPMulticastSender
    fileprivate let member: Int

    func leave() { groups.leave(self) }
}

/// Sends one stream to its groups, once for all readers; on the loop of the first of them. Its members come and go under the lock
/// of the groups' table: nobody may join one that is about to stop.
final class RTSPMulticastSender: Sendable {
    private struct State {
        var members: [Int: @Sendable () -> Void] = [:]
        var last = 0
    }

    private let loop: any EventLoop
    private let state = Mutex(State())
    private let viewer: NIOLoopBoundBox<Viewer?>

    init(loop: any EventLoop) {
        self.loop = loop
        viewer = NIOLoopBoundBox.makeEmptyBox(valueType: Viewer.self, eventLoop: loop)
    }

    func add(_ onEnd: @escaping @Sendable () -> Void) -> Int {
        state.withLock { state in
            state.last += 1
            state.members[state.last] = onEnd
            return state.last
        }
    }

    /// - Returns: whether it was the last.
    func remove(_ member: Int) -> Bool {
        state.withLock { state in
            state.members.removeValue(forKey: member) != nil && state.members.isEmpty
        }
    }

    func removeAll() -> [@Sendable () -> Void] {
        state.withLock { state in
            defer { state.members = [:] }
            return Array(state.members.values)
        }
    }

    fileprivate func start(
        _ address: StreamAddress,
        _ offer: RTPOffer,
        hub: Hub,
        options: RTSPMulticastOptions,
        onEnd: @escaping @Sendable () -> Void
    ) throws {
        let sink = try RTSPMulticastSink(stream: address.stream, medias: offer.description.media.count, options)
        let session = hub.makeSession(.rtspViewer, .viewer, remoteAddress: sink.description)
        let reservation = try hub.reserve(address.stream, app: address.app, session: session, on: loop)
        let channels = offer.description.media.indices.map { Optional(InterleavedFrame.channel(ofMedia: $0)) }
        var reading = RTPReading(description: offer.description, channels: channels)
        reading.startsLive = true
        viewer.value = try hub.read(
            reservation,
            reading,
            over: .datagrams(sink) { _ in }
        ) { _ in
            onEnd()
            return nil
        }
    }

    fileprivate func stop() {
        let viewer = viewer
        loop.execute {
            viewer.value?.close()
            viewer.value = nil
        }
    }
}

/// The sockets of one multicast stream.
private final class RTSPMulticastSink: RTPDatagramSink {
    private static let largestPacket = 1472

    private let socket: MulticastSocket
    private let targets: [(rtp: RTPSource, rtcp: RTPSource)]
    let description: String
    private var vectors: [iovec] = []
    private var target: RTPSource?
    private var sent = 0

    init(stream: String, medias: Int, _ options: RTSPMulticastOptions) throws {
        socket = try MulticastSocket(interface: options.interface, ttl: options.ttl)
        targets = (0..<medias).compactMap { media in
            let group = options.group(ofStream: stream, media: media)
            guard let rtp = RTPSource(host: group, port: Int(options.port)) else { return nil }
            return (rtp, rtp.atNextPort())
        }
        description = "\(options.group(ofStream: stream, media: 0)):\(options.port)"
    }

    func send(_ packet: UnsafeRawBufferPointer, media: Int, isRTCP: Bool) {
        guard packet.count <= Self.largestPacket, targets.indices.contains(media) else { return }
        let target = isRTCP ? targets[media].rtcp : targets[media].rtp
        if target != self.target || vectors.count == 64 {
            sendCollected()
            self.target = target
        }
        vectors.append(iovec(iov_base: UnsafeMutableRawPointer(mutating: packet.baseAddress), iov_len: packet.count))
    }

    func flush() -> Int {
        sendCollected()
        defer { sent = 0 }
        return sent
    }

    private func sendCollected() {
        if let target, !vectors.isEmpty {
            sent &+= vectors.withUnsafeBufferPointer { socket.send($0, to: target) }
        }
        vectors.removeAll(keepingCapacity: true)
    }
}
