import Foundation
import GRDB
import Media
import NIOCore
import Testing

@testable import Recording

/// A process that is killed leaves files that end anywhere.
@Suite("After kill -9", .serialized, .enabled(if: Tool.isThere, "ffmpeg is not installed"))
struct CrashTests {
    /// A file as a recorder leaves it, all of it with the system, and where its fragments end.
    private func recorded(_ format: RecordingFormat) throws -> (studio: Studio, path: String, bytes: [UInt8]) {
        let clip = try TestClip.make(seconds: 4, bitrate: "300k")
        let studio = try Studio()
        let recorder = try studio.recorder(format)
        studio.play(clip.events, into: recorder)
        recorder.finish()
        let path = try #require(studio.paths(format).first)
        return (studio, path, [UInt8](try #require(FileManager.default.contents(atPath: path))))
    }

    /// Ends of tags, packets or fragments, by another way than the examiner's.
    private func ends(_ bytes: [UInt8], _ format: RecordingFormat) -> [Int] {
        var ends: [Int] = []
        func integer(_ at: Int, _ count: Int) -> Int { bytes[at..<at + count].reduce(0) { $0 << 8 | Int($1) } }
        switch format {
        case .flv:
            var at = 13
            while at < bytes.count {
                at += 15 + integer(at + 1, 3)
                ends.append(at)
            }
        case .ts, .hls:
            ends = Array(stride(from: 188, through: bytes.count, by: 188))
        case .fmp4:
            var at = 0
            while at < bytes.count {
                let isMedia = bytes[at + 4..<at + 8].elementsEqual("mdat".utf8)
                at += integer(at, 4)
                if isMedia { ends.append(at) }
            }
        }
        return ends
    }

    @Test(arguments: [RecordingFormat.flv, .ts, .fmp4])
    func everyCutOfTheLast64KilobytesIsMended(_ format: RecordingFormat) throws {
        let (studio, path, bytes) = try recorded(format)
        let ends = ends(bytes, format)
        #expect(ends.last == bytes.count)
        let location = try #require(
            RecordingPath(
                folder: studio.library.configuration.folders[format],
                relative: URL(filePath: path).lastPathComponent
            )
        )
        let descriptor = try studio.files.open(location, forWriting: true)
        defer { try? studio.files.close(descriptor) }
        var next = ends.count - 1
        var longest = Int64.max
        // Each of the last 2 KB, every 13th before, and all beside the borders of what is whole.
        let first = max(ends[0], bytes.count - 65_536)
        let borders = Set(ends.flatMap { [$0 - 1, $0, $0 + 1] })
        for length in stride(from: bytes.count, through: first, by: -1)
        where length > bytes.count - 2048 || length % 13 == 0 || borders.contains(length) {
            try studio.files.truncate(descriptor, to: length)
            while ends[next] > length { next -= 1 }
            // What the index knew some frames before.
            let known = ends[max(0, next - 4)]
            let examiner = try FileExaminer(studio.files, descriptor)
            let found = try examiner.examine(format, known: (known, 0))
            guard found.wholeBytes == ends[next], let duration = found.durationMilliseconds, duration <= longest else {
                Issue.record("cut at \(length): \(found), whole up to \(ends[next])")
                return
            }
            longest = duration
        }
        #expect(longest < 4000)
    }

    @Test(arguments: [RecordingFormat.flv, .ts, .fmp4, .hls])
    func cutFilesPlayAndTheIndexAgrees(_ format: RecordingFormat) async throws {
        let (studio, path, bytes) = try recorded(format)
        let whole = try Tool.pictures(path)
        _ = studio.library.index.flush()
        var noise = SystemRandomNumberGenerator()
        for _ in 0..<6 {
            let length = bytes.count - Int.random(in: 1...min(65_536, bytes.count / 2), using: &noise)
            try Data(bytes.prefix(length)).write(to: URL(filePath: path))
            try await studio.database.write { database in
                try database.execute(
                    sql: "UPDATE recording_file SET state = 'writing', bytes = 0, durationMilliseconds = 0"
                )
            }
            if format == .hls {
                try? FileManager.default.removeItem(atPath: "\(studio.folder.path)/hls/cam/record.m3u8")
            }
            let library = studio.restarted()
            let result = await library.reconcile()
            #expect(result.interrupted == 1 && result.failures == [])
            let end = try #require(ends(bytes, format).last { $0 <= length })
            #expect(size(path) == end, "cut at \(length)")
            let row = try #require(try await library.files().files.first)
            #expect(row.bytes == end && row.state == .interrupted)
            // Of TS the last picture may be there in part: a decoder complains, and shows it.
            let isTS = format == .ts || format == .hls
            let pictures = try Tool.pictures(path, mayComplain: isTS)
            let strange = pictures.count { !whole.contains($0) }
            #expect(strange <= (isTS ? 1 : 0), "cut at \(length)")
            #expect(try Tool.times(path, "v").count == pictures.count)
            let seconds = Double(row.durationMilliseconds) / 1000
            #expect(abs(Double(pictures.count) / 25 - seconds) < 0.3, "cut at \(length)")
            if format == .hls {
                let list = "\(studio.folder.path)/hls/cam/record.m3u8"
                #expect(try Tool.pictures(list, mayComplain: true).count == pictures.count)
            }
        }
    }

    /// What the system has at a moment is what a kill at that moment leaves.
    @Test(arguments: [RecordingFormat.flv, .ts, .fmp4])
    func recorderThatIsAbandonedLeavesWhatItHandedOver(_ format: RecordingFormat) async throws {
        let clip = try TestClip.make(seconds: 4)
        let studio = try Studio()
        let recorder = try studio.recorder(format)
        studio.play(clip.events, into: recorder)
        _ = studio.library.index.flush()
        let path = try #require(studio.paths(format).first)
        let copy = try #require(FileManager.default.contents(atPath: path))
        recorder.finish()
        try copy.write(to: URL(filePath: path))
        try await studio.database.write { database in
            try database.execute(sql: "UPDATE recording_file SET state = 'writing'")
        }
        let library = studio.restarted()
        _ = await library.reconcile()
        let row = try #require(try await library.files().files.first)
        // At most a second is lost.
        #expect(row.durationMilliseconds >= 2_950)
        #expect(try Tool.pictures(path).count >= 73)
    }

    @Test func nothingPlayableIsDeleted() async throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.flv)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<30, into: recorder)
        recorder.finish()
        let path = try #require(studio.paths(.flv).first)
        try Data(try #require(FileManager.default.contents(atPath: path)).prefix(40)).write(to: URL(filePath: path))
        _ = studio.library.index.flush()
        try await studio.database.write { database in
            try database.execute(sql: "UPDATE recording_file SET state = 'writing'")
        }
        let library = studio.restarted()
        #expect(await library.reconcile().emptied == 1)
        #expect(studio.paths(.flv) == [])
        #expect(try await library.files().total == 0)
    }
}
