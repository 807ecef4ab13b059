import Foundation
import Media
import NIOCore
import Testing

@Suite("FLV tags")
struct FLVTagTests {
    private static let messages = FLVSamples.package([
        .video(FLVSamples.avc), .audio(FLVSamples.aac),
        .frame(FLVSamples.video(dts: 0, pts: 0, isKey: true, [0x65, 1, 2, 3])),
        .frame(FLVSamples.audio(90 * 0x1234_5678, [1, 2, 3])),
    ])

    private static func file(_ messages: [FLVMessage]) -> ByteBuffer {
        var file = ByteBuffer()
        FLVTagWriter.writeFileHeader(into: &file)
        for message in messages { FLVTagWriter.write(message, into: &file) }
        return file
    }

    @Test("bytes of header and tag, with the high bits of the time behind the low ones")
    func writesBytes() {
        var buffer = ByteBuffer()
        FLVTagWriter.writeFileHeader(hasVideo: true, hasAudio: false, into: &buffer)
        #expect(buffer.readableBytes == FLVTagWriter.fileHeaderLength)
        #expect(Array(buffer.readableBytesView) == [0x46, 0x4C, 0x56, 1, 1, 0, 0, 0, 9, 0, 0, 0, 0])
        var tag = ByteBuffer()
        let message = Self.messages[Self.messages.count - 1]
        FLVTagWriter.write(message, into: &tag)
        #expect(
            Array(tag.readableBytesView) == [
                8, 0, 0, 5, 0x34, 0x56, 0x78, 0x12, 0, 0, 0, 0xAF, 1, 1, 2, 3, 0, 0, 0, 16,
            ]
        )
        #expect(tag.readableBytes == message.length + FLVTagWriter.overhead)
    }

    @Test("read whole and at every split, the messages are those that were written")
    func readsEverySplit() throws {
        let file = Self.file(Self.messages)
        for split in 0...file.readableBytes {
            var reader = FLVTagReader()
            var messages: [FLVMessage] = []
            var bytes = file.getSlice(at: 0, length: split) ?? ByteBuffer()
            while let message = try reader.next(from: &bytes) { messages.append(message) }
            bytes.writeImmutableBuffer(file.getSlice(at: split, length: file.readableBytes - split) ?? ByteBuffer())
            while let message = try reader.next(from: &bytes) { messages.append(message) }
            #expect(messages == Self.messages)
        }
    }

    @Test("what is not FLV is named")
    func refusesOthers() {
        var reader = FLVTagReader()
        var mp4 = ByteBuffer(bytes: [0, 0, 0, 0x20, 0x66, 0x74, 0x79, 0x70, 0x69, 0x73])
        #expect(throws: FLVError.notFLV) { try reader.next(from: &mp4) }
        var long = ByteBuffer(bytes: [0x46, 0x4C, 0x56, 1, 5, 0, 1, 0, 0])
        #expect(throws: FLVError.badHeaderLength(0x1_0000)) { try reader.next(from: &long) }
        var stray = Self.file([])
        stray.writeBytes([7] + Array(repeating: 0 as UInt8, count: 14))
        #expect(throws: FLVError.unknownTagType(7)) { try reader.next(from: &stray) }
    }

    @Test("ffprobe reads what is written", .enabled(if: Tool.exists("ffprobe")))
    func probed() throws {
        let messages = FLVSamples.package([
            .video(FLVSamples.avc), .audio(FLVSamples.g711a),
            .frame(FLVSamples.video(dts: 0, pts: 0, isKey: true, [0x65, 0x88, 0x84, 0])),
            .frame(FLVSamples.audio(0, Array(repeating: 0xD5, count: 320))),
        ])
        let report = try Tool.withDirectory { directory in
            let file = directory.appendingPathComponent("a.flv")
            try Data(Self.file(messages).readableBytesView).write(to: file)
            let entries = "stream=codec_name,sample_rate"
            return try Tool.run("ffprobe", ["-v", "error", "-show_entries", entries, "-of", "csv=p=0", file.path])
        }
        #expect(String(decoding: report, as: UTF8.self) == "h264\npcm_alaw,8000\n")
    }

    @Test(
        "unpacked and packed again, ffmpeg sees the same packets, times and parameters",
        .enabled(if: Tool.exists("ffmpeg"))
    )
    func remuxesExactly() throws {
        try Tool.withDirectory { directory in
            let source = directory.appendingPathComponent("source.flv")
            let remuxed = directory.appendingPathComponent("remuxed.flv")
            _ = try Tool.run(
                "ffmpeg",
                ["-y", "-f", "lavfi", "-i", "testsrc=s=320x180:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3"]
                    + ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", "2", "-g", "25", "-c:a", "aac", source.path]
            )
            var bytes = ByteBuffer(bytes: try Data(contentsOf: source))
            var reader = FLVTagReader()
            var read: [FLVMessage] = []
            while let message = try reader.next(from: &bytes) { read.append(message) }
            let (events, statistics) = FLVSamples.unpackage(read)
            #expect(statistics == FLVUnpackager.Statistics())
            #expect(events.count > 150)
            try Data(Self.file(FLVSamples.package(events)).readableBytesView).write(to: remuxed)
            let sums = try [source, remuxed].map { file in
                try Tool.run("ffmpeg", ["-i", file.path, "-c", "copy", "-f", "framemd5", "-"])
            }
            #expect(sums[0].count > 5000)
            #expect(String(decoding: sums[0], as: UTF8.self) == String(decoding: sums[1], as: UTF8.self))
        }
    }
}
