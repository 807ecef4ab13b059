internal import CSockets
internal import Glibc
internal import NIOCore

/// Takes the datagrams of a media socket.
protocol DatagramConsumer: AnyObject {
    func receive(_ packet: RawSpan, from source: RTPSource, on socket: UDPMediaSocket, now: NIODeadline)
    func kernelDropped(_ total: UInt32)
}

/// A UDP socket of the reactor, for RTP or RTCP.
final class UDPMediaSocket: ReactorSocket {
    private unowned let reactor: RTPReactor
    private var descriptor: Descriptor?
    private var token: UInt64 = 0
    private var consumer: (any DatagramConsumer)?
    private var lastDrops: UInt32 = 0

    /// Batches a socket may take in one turn.
    private static let batchLimit = 4

    init(_ descriptor: consuming Descriptor, on reactor: RTPReactor, consumer: any DatagramConsumer) throws(SystemError)
    {
        let number = descriptor.number
        self.reactor = reactor
        self.descriptor = consume descriptor
        self.consumer = consumer
        token = try reactor.add(self, number)
    }

    func close() {
        guard let number = descriptor?.number else { return }
        reactor.remove(token, number)
        descriptor = nil
        consumer = nil
    }

    func ready(now: NIODeadline) -> Bool {
        let batch = reactor.slab.batch
        for _ in 0..<Self.batchLimit {
            guard let number = descriptor?.number, let consumer else { return false }
            let count = cs_batch_receive(batch, number)
            guard count > 0 else { return false }
            reactor.statistics.datagrams &+= Int(count)
            let drops = cs_batch_kernel_drops(batch)
            if drops != 0, drops != lastDrops {
                lastDrops = drops
                consumer.kernelDropped(drops)
            }
            for index in 0..<count {
                let bytes = UnsafeRawBufferPointer(
                    start: cs_batch_bytes(batch, index),
                    count: Int(cs_batch_length(batch, index))
                )
                let source = RTPSource(cs_endpoint_of(cs_batch_source(batch, index)), .udp)
                consumer.receive(bytes.bytes, from: source, on: self, now: now)
                // A packet may end its own session: the rest of the batch is nobody's then.
                if descriptor == nil { return false }
            }
            if count < ReceiveSlab.batchSize { return false }
        }
        return true
    }

    /// Sends datagrams of one piece each.
    /// - Returns: the bytes that the kernel took; what finds no room is lost, as on any network.
    func send(_ datagrams: UnsafeBufferPointer<iovec>, to target: RTPSource) -> Int {
        guard let number = descriptor?.number else { return 0 }
        return DatagramBatch.send(datagrams, on: number, to: target)
    }

    /// Best effort, as UDP is.
    func send(_ bytes: [UInt8], to target: RTPSource) {
        guard let number = descriptor?.number else { return }
        _ = bytes.withUnsafeBytes { cs_send_to(number, target.endpoint, $0.baseAddress, $0.count) }
    }
}
