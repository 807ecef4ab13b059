import Foundation
import Hub
import Media
import NIOCore
import Programs
import Testing

@testable import Transport

/// Players that are installed, as a user runs them.
@Suite(.enabled(if: Tool.exist("ffmpeg", "ffprobe", "curl"), "needs ffmpeg, ffprobe and curl"))
struct MediaHTTPPlayerTests {
    @Test func ffprobeReadsTheStreamFromItsKeyFrame() async throws {
        let events = try Self.encodedPictures()
        try await MediaHTTPFixture.with { fixture in
            let publisher = try await fixture.publish("door")
            try await publisher.receive(events)
            let url = "http://127.0.0.1:\(fixture.server.port)/live/door.flv"
            let text = try await Tool.run(
                "ffprobe",
                "-v",
                "error",
                "-analyzeduration",
                "500000",
                "-select_streams",
                "v",
                "-read_intervals",
                "%+#20",
                "-show_entries",
                "stream=codec_name,width,height:packet=pts_time,flags",
                "-of",
                "compact",
                url
            )
            #expect(text.contains("codec_name=h264|width=320|height=180"))
            let packets = text.split(separator: "\n").filter { $0.hasPrefix("packet|") }
            #expect(packets.count == 20)
            #expect(packets.first?.contains("flags=K") == true)
            // The second group of pictures is the newest.
            #expect(packets.first?.contains("pts_time=1.000000") == true)
        }
    }

    @Test func curlSeesHeadersAndReasons() async throws {
        try await MediaHTTPFixture.with(loops: 1) { fixture in
            let base = "http://127.0.0.1:\(fixture.server.port)"
            let head = try await Tool.run("curl", "-sS", "-I", base + "/live/door.flv")
            #expect(head.contains("200 OK") && head.contains("video/x-flv"))
            let missing = try await Tool.run("curl", "-sS", base + "/nothing")
            #expect(missing.contains(#""error_code":404"#))
            let options = try await Tool.run("curl", "-sS", "-i", "-X", "OPTIONS", base + "/live/door.flv")
            #expect(options.contains("204 No Content"))
        }
    }

    /// Two groups of 25 pictures from ffmpeg's encoder.
    static func encodedPictures() throws -> [MediaEvent] {
        let bytes = try Tool.output(
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=25",
            "-frames:v",
            "50",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-g",
            "25",
            "-bf",
            "0",
            "-x264-params",
            "slices=1:sliced-threads=0",
            "-f",
            "h264",
            "-"
        )
        var units: [[UInt8]] = []
        var unit: [UInt8] = []
        var zeros = 0
        for byte in bytes {
            if byte == 1, zeros >= 2 {
                unit.removeLast(min(zeros, unit.count))
                if !unit.isEmpty { units.append(unit) }
                unit = []
            } else {
                unit.append(byte)
            }
            zeros = byte == 0 ? zeros + 1 : 0
        }
        units.append(unit)
        let sps = try #require(units.first { $0[0] & 0x1F == 7 })
        let pps = try #require(units.first { $0[0] & 0x1F == 8 })
        var events: [MediaEvent] = [
            .video(VideoParameters(codec: .h264, sps: [sps], pps: [pps], width: 320, height: 180))
        ]
        for (index, unit) in units.filter({ [1, 5].contains($0[0] & 0x1F) }).enumerated() {
            var payload = ByteBuffer()
            payload.writeInteger(UInt32(unit.count))
            payload.writeBytes(unit)
            let time = Int64(index) * 3600
            let isKey = unit[0] & 0x1F == 5
            events.append(.frame(Frame(track: .video, dts: time, pts: time, isKey: isKey, payload: payload)))
        }
        try #require(events.count == 51)
        return events
    }
}

enum Tool {
    static func exist(_ names: String...) -> Bool {
        names.allSatisfy { name in
            ["/usr/bin/", "/usr/local/bin/", "/bin/"].contains {
                FileManager.default.isExecutableFile(atPath: $0 + name)
            }
        }
    }

    /// Of what ends soon: blocks.
    static func output(_ arguments: String...) throws -> Data {
        let program = try Program("/usr/bin/env", ["timeout", "-s", "KILL", "20"] + arguments)
        _ = program.wait()
        return program.outputData
    }

    static func run(_ arguments: String...) async throws -> String {
        String(decoding: try await data(arguments), as: UTF8.self)
    }

    static func data(_ arguments: String...) async throws -> Data {
        try await data(arguments)
    }

    private static func data(_ arguments: [String]) async throws -> Data {
        let program = try Program("/usr/bin/env", arguments)
        _ = try await program.exit(limit: .seconds(20))
        return program.outputData
    }
}
