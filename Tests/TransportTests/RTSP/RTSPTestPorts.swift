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

extension TestSocket {
    /// Closes the connection, whoever holds this object.
    func shutdown() {
        _ = Glibc.shutdown(number, CInt(SHUT_RDWR))
    }
}
