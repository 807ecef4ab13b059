import Foundation
import Media
import NIOCore

/// Parameters of real encoders and small frames, for the FLV tests.
enum FLVSamples {
    /// x264, 320x180, High, two B-frames.
    static let avc = VideoParameters(
        codec: .h264,
        sps: [bytes("6764000cacd941419f9f011000000300100000030320f1429960")],
        pps: [bytes("68ebe3cb22c0")]
    )
    /// x265, 320x180, Main.
    static let hevc = VideoParameters(
        codec: .h265,
        vps: [bytes("40010c01ffff01600000030090000003000003003c959809")],
        sps: [bytes("42010101600000030090000003000003003ca00a080b9f796566924caf016808000003000800000300c840")],
        pps: [bytes("4401c172b46240")]
    )
    /// AAC-LC, 44.1 kHz, stereo.
    static let aac = AudioParameters(codec: .aac, sampleRate: 44_100, channels: 2, configuration: [0x12, 0x10])
    static let g711a = AudioParameters(codec: .g711a, sampleRate: 8_000, channels: 1)
    static let opus = AudioParameters(
        codec: .opus,
        sampleRate: 48_000,
        channels: 2,
        configuration: Array("OpusHead".utf8) + [1, 2, 0x38, 1, 0x80, 0xBB, 0, 0, 0, 0, 0]
    )
    static let mp3 = AudioParameters(codec: .mp3, sampleRate: 44_100, channels: 1)
    /// The first bytes of a frame of lame: 64 kbit/s, 44.1 kHz, mono.
    static let mp3Frame: [UInt8] = [0xFF, 0xFB, 0x50, 0xC4, 0, 0, 7, 0xA8]
    /// libaom, 320x180, Main.
    static let av1 = VideoParameters(
        codec: .av1,
        sps: [],
        pps: [],
        record: bytes("81000c000a0b000000043cfeccdaf90040"),
        width: 320,
        height: 180
    )
    /// libvpx, 320x180, profile 0: the size is in the key frames.
    static let vp9 = VideoParameters(codec: .vp9, sps: [], pps: [], record: bytes("01000000000b820202020000"))
    static let vp9KeyFrame = bytes("824983420013f00b360638241c184a00")
    static let g711u = AudioParameters(codec: .g711u, sampleRate: 8_000, channels: 1)

    static func bytes(_ hex: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in hex.compactMap(\.hexDigitValue) {
            if let first = high {
                bytes.append(first << 4 | UInt8(digit))
                high = nil
            } else {
                high = UInt8(digit)
            }
        }
        return bytes
    }

    /// NAL units behind 4-byte lengths.
    static func avcc(_ units: [UInt8]...) -> ByteBuffer {
        var buffer = ByteBuffer()
        for unit in units {
            buffer.writeInteger(UInt32(unit.count))
            buffer.writeBytes(unit)
        }
        return buffer
    }

    static func video(dts: Int64, pts: Int64, isKey: Bool, _ unit: [UInt8]) -> Frame {
        Frame(track: .video, dts: dts, pts: pts, isKey: isKey, payload: avcc(unit))
    }

    static func audio(_ time: Int64, _ bytes: [UInt8]) -> Frame {
        Frame(track: .audio, dts: time, pts: time, isKey: true, payload: ByteBuffer(bytes: bytes))
    }

    static func package(_ events: [MediaEvent], hevc: FLVHEVCFormat = .legacy) -> [FLVMessage] {
        var packager = FLVPackager(hevc: hevc)
        var messages: [FLVMessage] = []
        for event in events { packager.package(event, into: &messages) }
        return messages
    }

    static func unpackage(_ messages: [FLVMessage]) -> (events: [MediaEvent], statistics: FLVUnpackager.Statistics) {
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        for message in messages { unpackager.receive(message, into: &events) }
        return (events, unpackager.statistics)
    }
}

/// A program of the machine, run to its end.
enum Tool {
    /// FFmpeg 8 or later, where the environment names one.
    static let modernFFmpeg = ProcessInfo.processInfo.environment["GBGATE_FFMPEG"].flatMap { path in
        FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    static func exists(_ name: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: "/usr/bin/\(name)")
    }

    /// Standard output; standard error is thrown away.
    static func run(_ name: String, _ arguments: [String]) throws -> Data {
        try run(path: "/usr/bin/\(name)", arguments)
    }

    static func run(path: String, _ arguments: [String]) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return data
    }

    /// A directory that is removed after the body.
    static func withDirectory<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try body(directory)
    }
}
