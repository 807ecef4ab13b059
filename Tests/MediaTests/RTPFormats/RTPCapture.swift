import Foundation
import Glibc
import NIOCore

@testable import Media

/// What another's packetiser sends to a port of this machine: RTP and RTCP packets in the order of their arrival.
struct RTPCapture {
    struct Packet {
        var isRTCP: Bool
        var bytes: [UInt8]
    }

    var packets: [Packet] = []
    /// What the sender wrote of itself; empty for senders that write none.
    var sdp: [UInt8] = []

    var rtp: [[UInt8]] { packets.filter { !$0.isRTCP }.map(\.bytes) }

    /// Runs ffmpeg with an output of RTP.
    static func ffmpeg(_ arguments: [String], muxer: [String] = []) throws -> RTPCapture {
        let file = FFmpeg.temporary("sdp")
        defer { try? FileManager.default.removeItem(at: file) }
        var capture = try run("ffmpeg") { rtp, rtcp in
            ["-v", "error"] + arguments + ["-f", "rtp"] + muxer
                + ["-sdp_file", file.path, "rtp://127.0.0.1:\(rtp)?rtcpport=\(rtcp)&pkt_size=1300"]
        }
        capture.sdp = [UInt8](try Data(contentsOf: file))
        return capture
    }

    /// Runs gst-launch-1.0 with a pipeline that ends at a payloader.
    static func gstreamer(_ pipeline: String) throws -> RTPCapture {
        try run("gst-launch-1.0") { rtp, _ in
            let elements = "\(pipeline) ! udpsink host=127.0.0.1 port=\(rtp) sync=false"
            return ["-q"] + elements.split(separator: " ").map(String.init)
        }
    }

    private static func run(_ tool: String, _ arguments: (UInt16, UInt16) -> [String]) throws -> RTPCapture {
        let rtp = try Socket()
        let rtcp = try Socket()
        let process = Process()
        process.executableURL = URL(filePath: FFmpeg.path(tool) ?? tool)
        process.arguments = arguments(rtp.port, rtcp.port)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        var capture = RTPCapture()
        var waits = [
            pollfd(fd: rtp.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: rtcp.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        // Loopback delivers at once: when the sender is gone and nothing is there, that was all.
        while poll(&waits, 2, 50) > 0 || process.isRunning {
            for (index, socket) in [rtp, rtcp].enumerated() {
                while let bytes = socket.receive() { capture.packets.append(Packet(isRTCP: index == 1, bytes: bytes)) }
            }
        }
        process.waitUntilExit()
        return capture
    }

    private final class Socket {
        let descriptor: CInt
        let port: UInt16

        init() throws {
            let opened = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
            var size: CInt = 8 << 20
            let length = socklen_t(MemoryLayout<CInt>.size)
            if setsockopt(opened, SOL_SOCKET, SO_RCVBUFFORCE, &size, length) != 0 {
                setsockopt(opened, SOL_SOCKET, SO_RCVBUF, &size, length)
            }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var count = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = bind(opened, $0, count)
                    getsockname(opened, $0, &count)
                }
            }
            descriptor = opened
            port = UInt16(bigEndian: address.sin_port)
        }

        deinit { close(descriptor) }

        func receive() -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, CInt(MSG_DONTWAIT))
            return count > 0 ? Array(buffer.prefix(count)) : nil
        }
    }
}

extension RTSPIngest {
    /// Gives packets of one media 1 ms apart, then lets time pass.
    mutating func feed(_ packets: [RTPCapture.Packet], media: Int = 0, from start: Int = 0) -> [MediaEvent] {
        var events: [MediaEvent] = []
        for (index, packet) in packets.enumerated() {
            let now = NIODeadline.milliseconds(start + index)
            advance(to: now, into: &events)
            packet.bytes.withSpan { receive($0, media: media, isRTCP: packet.isRTCP, now: now, into: &events) }
        }
        finish(at: start + packets.count, into: &events)
        return events
    }

    mutating func feed(_ packets: [[UInt8]], media: Int = 0, from start: Int = 0) -> [MediaEvent] {
        feed(packets.map { RTPCapture.Packet(isRTCP: false, bytes: $0) }, media: media, from: start)
    }

    mutating func finish(at time: Int, into events: inout [MediaEvent]) {
        for step in 1...10 { advance(to: .milliseconds(time + step * 250), into: &events) }
    }
}

extension RTPFormat {
    /// A stream of this format alone.
    func stream(_ kind: String) -> StreamDescription {
        StreamDescription(media: [RTPMedia(kind: kind, formats: [self])])
    }
}
