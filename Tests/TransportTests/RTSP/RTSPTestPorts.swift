import Glibc
import NIOCore
import Testing

@testable import Transport

/// A client's two UDP ports.
final class RTSPTestPorts {
    let rtp: TestSocket
    let rtcp: TestSocket

    init() throws {
        var pair: (TestSocket, TestSocket)?
        for _ in 0..<100 where pair == nil {
            let first = try TestSocket.udp()
            guard first.port % 2 == 0, let second = try? TestSocket.udp(port: first.port + 1) else { continue }
            pair = (first, second)
        }
        (rtp, rtcp) = try #require(pair)
    }

    var transport: String { "RTP/AVP;unicast;client_port=\(rtp.port)-\(rtcp.port)" }

    /// Reads one media's packets until the reader has seen what it is to see.
    func read(
        _ reader: inout RTSPPictureReader,
        media: Int = 0,
        until condition: (RTSPPictureReader) -> Bool
    ) throws {
        while !condition(reader) {
            while let report = rtcp.poll() { reader.receive(ByteBuffer(bytes: report), media: media, isRTCP: true) }
            guard let packet = rtp.receive() else {
                Issue.record("nothing comes any more: \(reader.numbers)")
                return
            }
            reader.receive(ByteBuffer(bytes: packet), media: media, isRTCP: false)
        }
    }
}

/// Between packets that must not come all at once; other tests may hold the threads that tasks sleep on.
func pace(milliseconds: UInt32) {
    usleep(milliseconds * 1000)
}

extension TestSocket {
    /// An accepted socket waits for bytes from now on, up to 5 s.
    func waitForBytes() {
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) & ~O_NONBLOCK)
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Closes the connection, whoever holds this object.
    func shutdown() {
        _ = Glibc.shutdown(number, CInt(SHUT_RDWR))
    }
}
