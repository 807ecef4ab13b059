import Foundation
import Media
import Testing

@testable import Recording

@Suite("Old files are deleted") struct RetentionTests {
    private static let hour: Int64 = 3_600_000

    /// Files an hour apart, about 100 KB each.
    private func studio(
        hours: Int,
        format: RecordingFormat = .flv,
        _ configure: @escaping (inout RecordingConfiguration) -> Void
    ) throws -> Studio {
        let studio = try Studio(configure)
        for _ in 0..<hours {
            try record(studio, format)
            studio.clock.advance(Self.hour)
        }
        return studio
    }

    private func record(_ studio: Studio, _ format: RecordingFormat, stream: String = "cam") throws {
        let recorder = try studio.recorder(format, stream: stream)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<100, into: recorder)
        recorder.finish()
        studio.library.stop(recorder.id)
    }

    @Test func byAge() async throws {
        let studio = try studio(hours: 5) { $0.retention.maximumAgeSeconds = 2 * 3600 + 1800 }
        let before = studio.paths(.flv)
        #expect(before.count == 5)
        studio.library.tick()
        #expect(studio.paths(.flv) == Array(before[3...]))
        #expect(try await studio.rows().count == 2)
        guard case .retention(let result) = studio.reports.last else { throw Unexpected() }
        #expect(result.files == 3 && result.failures == [])
        // Not looked at again before its time.
        studio.clock.advance(59_000)
        studio.library.tick()
        #expect(studio.paths(.flv).count == 2)
        studio.clock.advance(2 * Self.hour)
        studio.library.tick()
        #expect(studio.paths(.flv).count == 0)
    }

    @Test func byTotalSize() async throws {
        let studio = try studio(hours: 30) { $0.retention.maximumTotalMegabytes = 1 }
        let before = studio.paths(.flv)
        studio.library.tick()
        let after = studio.paths(.flv)
        #expect(after == Array(before.suffix(after.count)))
        let bytes = after.map(size).reduce(0, +)
        #expect(bytes <= 1 << 20 && bytes > (1 << 20) - 110_000)
        #expect(try await studio.rows().map(\.bytes).reduce(0, +) == bytes)
    }

    @Test func byFreeSpace() async throws {
        let studio = try studio(hours: 6) { $0.retention.minimumFreeMegabytes = 10 }
        studio.files.set { $0.free = 20 << 20 }
        studio.library.tick()
        #expect(studio.paths(.flv).count == 6)
        studio.clock.advance(60_000)
        studio.files.set { $0.free = (10 << 20) - 1 }
        studio.library.tick()
        // It stays short, whatever is deleted.
        #expect(studio.paths(.flv).count == 0)
    }

    @Test func fileThatIsWrittenStays() throws {
        let studio = try studio(hours: 3) { $0.retention.maximumAgeSeconds = 60 }
        let recorder = try studio.recorder(.flv)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<50, into: recorder)
        studio.clock.advance(Self.hour)
        studio.library.tick()
        #expect(studio.paths(.flv).count == 1)
        #expect(studio.faults.isEmpty)
        recorder.finish()
    }

    @Test func segmentsLeaveTheirPlaylistAndTheirFolder() async throws {
        let studio = try studio(hours: 4, format: .hls) { $0.retention.maximumAgeSeconds = 2 * 3600 + 1800 }
        let list = "\(studio.folder.path)/hls/cam/record.m3u8"
        func entries() throws -> [String] {
            try String(contentsOfFile: list, encoding: .utf8).split(separator: "\n").filter { $0.hasSuffix(".ts") }
                .map { "\(studio.folder.path)/hls/cam/\($0)" }
        }
        #expect(try entries().count == 4)
        studio.library.tick()
        #expect(try entries() == studio.paths(.hls))
        #expect(studio.paths(.hls).count == 2)
        #expect(try String(contentsOfFile: list, encoding: .utf8).contains("#EXT-X-DISCONTINUITY\n#EXTINF:4.000,"))
        studio.clock.advance(3 * Self.hour)
        studio.library.tick()
        #expect(!FileManager.default.fileExists(atPath: "\(studio.folder.path)/hls/cam"))
        #expect(try await studio.rows().isEmpty)
    }

    @Test func fullDiskIsLookedAtAtOnce() async throws {
        let studio = try studio(hours: 3) { $0.retention.minimumFreeMegabytes = 1 }
        studio.files.set {
            $0.free = 0
            $0.room = 10_000
        }
        let recorder = try studio.recorder(.flv)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<50, into: recorder)
        #expect(studio.faults.first?.code == ENOSPC)
        #expect(studio.files.plan.withLock { $0.removed.count } >= 3)
        studio.files.set {
            $0.free = nil
            $0.room = nil
        }
        studio.pictures(50..<150, into: recorder)
        #expect(studio.recoveries == 1)
        recorder.finish()
    }

    @Test func withoutPolicyNothingIsDeleted() throws {
        let studio = try studio(hours: 3) { _ in }
        studio.clock.advance(1_000_000 * Self.hour)
        studio.files.set { $0.free = 0 }
        studio.library.tick()
        #expect(studio.paths(.flv).count == 3)
    }

    @Test func fileThatCannotBeDeletedIsPassedOver() async throws {
        let studio = try studio(hours: 3) { $0.retention.maximumAgeSeconds = 60 }
        studio.files.set { $0.remove = EACCES }
        studio.library.tick()
        guard case .retention(let result) = studio.reports.last else { throw Unexpected() }
        #expect(result.files == 0 && result.failures.count == 3)
        #expect(try await studio.rows().count == 3)
    }

    struct Unexpected: Error {}
}
