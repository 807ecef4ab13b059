import Foundation
import Media
import Synchronization
import Testing

@testable import Recording

@Suite("A disk that fails") struct FaultTests {
    private func started(
        _ format: RecordingFormat = .flv,
        _ configure: (inout RecordingConfiguration) -> Void = { _ in }
    ) throws -> (Studio, Recorder) {
        let studio = try Studio(configure)
        let recorder = try studio.recorder(format)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        return (studio, recorder)
    }

    @Test(arguments: RecordingFormat.allCases)
    func fullDiskIsSaidOnceAndRecordingComesBack(_ format: RecordingFormat) async throws {
        let (studio, recorder) = try started(format)
        studio.files.set { $0.room = 40_000 }
        studio.pictures(0..<500, into: recorder)
        let status = try #require(studio.library.list().first)
        #expect(status.phase == .fault)
        #expect(status.fault?.code == ENOSPC)
        #expect(try #require(status.fault).attempts > 3)
        #expect(studio.faults.count == 1 && studio.recoveries == 0)
        #expect(try #require(studio.faults.first).description.contains("No space left on device; free space"))
        #expect(status.droppedFrames > 300)

        studio.files.set { $0.room = nil }
        // Tried again half a minute later at the latest.
        studio.pictures(500..<1300, into: recorder)
        #expect(studio.faults.count == 1 && studio.recoveries == 1)
        #expect(studio.library.list().first?.fault == nil)
        #expect(studio.library.list().first?.phase == .recording)
        recorder.finish()
        let rows = try await studio.rows()
        #expect(rows.first?.state == .interrupted)
        #expect(rows.last?.state == .complete)
        #expect(rows.last?.firstKeyMilliseconds == 0)
        // Every file ends with a whole fragment.
        for path in studio.paths(format) {
            let location = try #require(
                RecordingPath(
                    folder: studio.library.configuration.folders[format],
                    relative: format == .hls
                        ? "cam/" + URL(filePath: path).lastPathComponent : URL(filePath: path).lastPathComponent
                )
            )
            let descriptor = try studio.files.open(location, forWriting: false)
            let found = try FileExaminer(studio.files, descriptor).examine(format, known: nil)
            #expect(found.wholeBytes == size(path))
            try studio.files.close(descriptor)
        }
        // What was received is on the disk or counted.
        let files = studio.library.list().first
        #expect(files?.queuedBytes == 0)
        #expect(studio.library.openFiles == 0)
    }

    @Test func framesAreWrittenOrCounted() async throws {
        let (studio, recorder) = try started()
        studio.files.set { $0.room = 30_000 }
        studio.pictures(0..<200, into: recorder)
        studio.files.set { $0.room = nil }
        studio.pictures(200..<1000, into: recorder)
        recorder.finish()
        let dropped = try #require(studio.library.list().first).droppedFrames
        var written = 0
        for path in studio.paths(.flv) {
            let bytes = [UInt8](try #require(FileManager.default.contents(atPath: path)))
            var at = 13
            while at + 13 < bytes.count {
                if bytes[at] == 9, bytes[at + 12] == 1 { written += 1 }
                at += 15 + Int(bytes[at + 1]) << 16 + Int(bytes[at + 2]) << 8 + Int(bytes[at + 3])
            }
        }
        #expect(written + dropped == 1000)
        #expect(dropped > 0)
    }

    @Test func pausesGrowToHalfAMinute() throws {
        let (studio, recorder) = try started()
        studio.files.set { $0.create = EROFS }
        var attempts: [Int] = []
        for second in 0..<120 {
            studio.pictures(second * 25..<second * 25 + 25, into: recorder)
            attempts.append(studio.library.list().first?.fault?.attempts ?? 0)
        }
        #expect(attempts.last == 8)
        #expect(studio.faults.count == 1)
        #expect(
            try #require(studio.faults.first).description.contains("Read-only file system; make the folder writable")
        )
        recorder.finish()
    }

    @Test(.enabled(if: geteuid() == 0, "needs root")) func realDiskThatIsFull() async throws {
        let folder = TemporaryFolder()
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=512k") == 0 else { return }
        defer { umount2(folder.path, CInt(MNT_DETACH)) }
        let (studio, recorder) = try started(.ts) { $0.folders = RecordingFolders(root: folder.path) }
        studio.pictures(0..<1000, into: recorder)
        #expect(studio.faults.map(\.code) == [ENOSPC])
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/mpegts") {
            #expect(size("\(folder.path)/mpegts/\(name)") % 188 == 0)
            try FileManager.default.removeItem(atPath: "\(folder.path)/mpegts/\(name)")
        }
        studio.pictures(1000..<1800, into: recorder, size: 100)
        #expect(studio.recoveries == 1)
        recorder.finish()
    }

    @Test(.enabled(if: geteuid() == 0, "needs root")) func realFolderThatIsReadOnly() async throws {
        let folder = TemporaryFolder()
        guard mount("tmpfs", folder.path, "tmpfs", UInt(MS_RDONLY), "size=1m") == 0 else { return }
        defer { umount2(folder.path, CInt(MNT_DETACH)) }
        let (studio, recorder) = try started { $0.folders = RecordingFolders(root: folder.path) }
        studio.pictures(0..<50, into: recorder)
        #expect(studio.faults.map(\.code) == [EROFS])
        #expect(mount("tmpfs", folder.path, "tmpfs", UInt(MS_REMOUNT), "size=1m") == 0)
        studio.pictures(50..<200, into: recorder)
        #expect(studio.recoveries == 1)
        recorder.finish()
        #expect(size("\(folder.path)/flv/cam-\((studio.clock.milliseconds - 6000) / 1000).flv") != 0)
    }

    @Test(arguments: [RecordingFormat.flv, .hls]) func folderThatIsDeletedIsMadeAgain(
        _ format: RecordingFormat
    ) async throws {
        let (studio, recorder) = try started(format)
        studio.pictures(0..<50, into: recorder)
        try FileManager.default.removeItem(atPath: studio.folder.path)
        studio.pictures(50..<200, into: recorder)
        #expect(studio.faults.map(\.action) == ["removed"])
        #expect(studio.recoveries == 1)
        recorder.finish()
        let rows = try await studio.rows()
        #expect(rows.count == 1 && rows.first?.bytes == studio.paths(format).first.map(size))
    }

    @Test func shortWritesAreGoneOnWith() throws {
        let clip = try Tool.isThere ? TestClip.make(seconds: 2) : nil
        guard let clip else { return }
        let studio = try Studio()
        studio.files.set { $0.shortWrite = 999 }
        let recorder = try studio.recorder(.flv)
        studio.play(clip.events, into: recorder)
        recorder.finish()
        #expect(studio.faults.isEmpty)
        #expect(try Tool.pictures(try #require(studio.paths(.flv).first)) == Tool.pictures(clip.path))
    }

    @Test func playlistThatCannotBeWrittenIsCompletedLater() async throws {
        let (studio, recorder) = try started(.hls)
        studio.files.set { $0.replace = EACCES }
        studio.pictures(0..<400, into: recorder)
        #expect(studio.faults.count == 1)
        #expect(studio.library.list().first?.fault?.code == EACCES)
        studio.files.set { $0.replace = nil }
        studio.pictures(400..<500, into: recorder)
        recorder.finish()
        #expect(studio.recoveries == 1)
        let text = try String(contentsOfFile: "\(studio.folder.path)/hls/cam/record.m3u8", encoding: .utf8)
        #expect(text.split(separator: "\n").count { $0.hasPrefix("#EXTINF") } == studio.paths(.hls).count)
        #expect(studio.library.list().first?.droppedFrames == 0)
    }

    /// The writer's thread hangs in the kernel; the loop must not notice.
    @Test func slowDiskNeverHoldsUpTheStream() async throws {
        let studio = try Studio(inline: false) { $0.queueBytes = 1 << 20 }
        let recorder = try studio.recorder(.flv)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        // The pool does nothing at all meanwhile.
        studio.pictures(0..<500, into: recorder, size: 10_000)
        var status = try #require(studio.library.list().first)
        #expect(status.queuedBytes <= 1 << 20)
        #expect(status.droppedFrames > 350 && status.droppedFrames < 450)
        #expect(status.droppedBytes > 3_500_000)
        #expect(studio.reports.count { if case .tooSlow = $0 { true } else { false } } == 1)
        #expect(status.fault == nil)
        studio.pool.runAll()
        #expect(studio.library.queuedBytes == 0)
        let dropped = status.droppedFrames
        for index in 20..<40 {
            studio.pictures(index * 25..<index * 25 + 25, into: recorder, size: 10_000)
            studio.pool.runAll()
        }
        recorder.finish()
        studio.pool.runAll()
        status = try #require(studio.library.list().first)
        #expect(status.droppedFrames == dropped)
        #expect(studio.reports.count { if case .caughtUp = $0 { true } else { false } } == 1)
        // One file, with a hole up to a key frame.
        #expect(studio.paths(.flv).count == 1)
    }

    @Test func allQueuesTogetherHaveALimit() throws {
        let studio = try Studio(inline: false) {
            $0.queueBytes = 8 << 20
            $0.totalQueueBytes = 2 << 20
        }
        let recorders = try (0..<8).map { try studio.recorder(.flv, stream: "cam\($0)") }
        for recorder in recorders { recorder.receive(.video(Synthetic.video), startsGOP: false) }
        for index in 0..<100 {
            let frame = Synthetic.picture(index, size: 10_000)
            for recorder in recorders { recorder.receive(.frame(frame), startsGOP: frame.isKey) }
        }
        // Each may hold a chunk that is not handed over yet.
        #expect(studio.library.queuedBytes <= (2 << 20) + 8 * 140_000)
        #expect(studio.library.list().map(\.droppedFrames).reduce(0, +) > 400)
        studio.pool.runAll()
        #expect(studio.library.queuedBytes == 0)
        for recorder in recorders { recorder.finish() }
        studio.pool.runAll()
        #expect(studio.library.openFiles == 0)
    }

    @Test func recordingsAndFilesHaveLimits() throws {
        let studio = try Studio {
            $0.maximumRecordings = 2
            $0.maximumOpenFiles = 1
        }
        let first = try studio.recorder(.flv)
        #expect(throws: RecordingRefusal.alreadyRecording(first.id)) {
            try studio.library.start(stream: "cam", format: .flv)
        }
        let second = try studio.recorder(.ts)
        #expect(throws: RecordingRefusal.tooMany(limit: 2)) { try studio.library.start(stream: "other", format: .flv) }
        for recorder in [first, second] { recorder.receive(.video(Synthetic.video), startsGOP: false) }
        studio.pictures(0..<30, into: first)
        studio.pictures(0..<30, into: second)
        #expect(studio.faults.map(\.code) == [EMFILE])
        first.finish()
        studio.pictures(30..<130, into: second)
        #expect(studio.recoveries == 1)
        second.finish()
        #expect(studio.library.openFiles == 0)
    }
}
