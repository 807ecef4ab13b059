import Glibc
import NIOCore
import NIOEmbedded
import Synchronization
import Wire

@testable import Transport

/// A reactor whose time is the test's and whose sockets are real.
struct RTPFixture {
    let loop = EmbeddedEventLoop()
    let reactor: RTPReactor
    let ports: PortPool
    let sink = RecordingSink()
    let events = Recorder<MediaReceiverEvent>()

    init(receiveBuffer: Int = 4 << 20) throws {
        reactor = try RTPReactor(eventLoop: loop)
        ports = TestPorts.pool(10, receiveBuffer: receiveBuffer)
    }

    func open(_ transport: MediaTransport, expectedSSRC: UInt32? = nil) throws -> MediaReceiver {
        try MediaReceiver(
            transport,
            on: reactor,
            ports: ports,
            host: "127.0.0.1",
            expectedSSRC: expectedSSRC,
            sink: sink,
            onEvent: events.append
        )
    }

    /// Drains what has arrived: one tick.
    func tick() {
        loop.advanceTime(by: .milliseconds(5))
    }

    func pass(_ time: TimeAmount) {
        loop.advanceTime(by: time)
    }
}

final class Recorder<Element> {
    private(set) var all: [Element] = []
    func append(_ element: Element) { all.append(element) }
}

final class RecordingSink: RTPSink {
    var packets: [[UInt8]] = []
    var sources: [RTPSource] = []
    var ticks = 0
    var drops: UInt32 = 0
    var report: [UInt8]?
    var mediaSource: RTPSource?
    var onPacket: (() -> Void)?

    func receive(_ packet: RawSpan, from source: RTPSource, now: NIODeadline) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(packet.byteCount)
        for offset in 0..<packet.byteCount { bytes.append(packet.uint8(at: offset) ?? 0) }
        packets.append(bytes)
        sources.append(source)
        onPacket?()
    }

    func tick(now: NIODeadline) { ticks += 1 }
    func kernelDropped(_ total: UInt32) { drops = total }
    func receiverReport(now: NIODeadline) -> [UInt8]? { report }
}

/// Ranges of ports that no two tests of a process share, below the system's own.
enum TestPorts {
    private static let next = Mutex(20_000 + Int(getpid() % 97) * 100)

    static func range(_ count: Int) -> ClosedRange<Int> {
        next.withLock { first in
            if first + count * 2 > 32_000 { first = 20_000 }
            defer { first += count * 2 }
            return first...(first + count * 2 - 2)
        }
    }

    static func pool(_ count: Int, receiveBuffer: Int = 4 << 20) -> PortPool {
        PortPool(range: range(count), receiveBuffer: receiveBuffer)
    }
}

/// RTP packets as a camera makes them.
enum Packet {
    static func rtp(_ sequence: Int, ssrc: UInt32 = 0x0BEB_C201, size: Int = 200) -> [UInt8] {
        var bytes: [UInt8] = [0x80, 96, UInt8(sequence >> 8 & 0xFF), UInt8(sequence & 0xFF), 0, 0, 0, 0]
        bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ssrc >> $0) }
        bytes += [UInt8](repeating: UInt8(sequence & 0xFF), count: max(size - 12, 0))
        return bytes
    }

    static func senderReport(ssrc: UInt32 = 0x0BEB_C201) -> [UInt8] {
        [0x80, 200, 0, 6] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ssrc >> $0) }
            + [UInt8](repeating: 0, count: 20)
    }

    static func framed(_ packet: [UInt8]) -> [UInt8] {
        [UInt8(packet.count >> 8), UInt8(packet.count & 0xFF)] + packet
    }

    static func interleaved(_ packet: [UInt8]) -> [UInt8] {
        [0x24, 0] + framed(packet)
    }
}
