import Foundation
import GRDB
import Media
import Testing

@testable import Recording

@Suite("The index agrees with the disk") struct ReconcileTests {
    private func studio(files: Int, format: RecordingFormat = .flv) throws -> Studio {
        let studio = try Studio()
        for _ in 0..<files {
            let recorder = try studio.recorder(format)
            recorder.receive(.video(Synthetic.video), startsGOP: false)
            studio.pictures(0..<50, into: recorder)
            recorder.finish()
            studio.library.stop(recorder.id)
        }
        _ = studio.library.index.flush()
        return studio
    }

    @Test func nothingIsToBeDoneAfterAGoodEnd() async throws {
        let studio = try studio(files: 3)
        let before = try await studio.rows()
        #expect(before.count == 3)
        let library = studio.restarted()
        #expect(await library.reconcile() == ReconcileResult())
        #expect(try await library.files().files == before)
    }

    @Test func rowsWithoutFileGo() async throws {
        let studio = try studio(files: 3)
        try FileManager.default.removeItem(atPath: studio.paths(.flv)[1])
        let library = studio.restarted()
        #expect(await library.reconcile().removed == 1)
        #expect(try await library.files().total == 2)
    }

    @Test(arguments: RecordingFormat.allCases)
    func filesWithoutRowAreFound(_ format: RecordingFormat) async throws {
        let studio = try studio(files: 2, format: format)
        let before = try await studio.rows()
        try await studio.database.write { try $0.execute(sql: "DELETE FROM recording_file") }
        let library = studio.restarted()
        #expect(await library.reconcile().added == 2)
        let found = try await library.files().files
        #expect(found.map(\.path) == before.map(\.path))
        #expect(found.map(\.bytes) == before.map(\.bytes))
        for (one, other) in zip(found, before) {
            #expect(one.stream == "cam")
            #expect(abs(one.durationMilliseconds - other.durationMilliseconds) <= 41)
        }
    }

    @Test func filesOfOthersAreLeftAlone() async throws {
        let studio = try studio(files: 1)
        let folder = "\(studio.folder.path)/flv"
        for name in [
            "notes.txt", "holiday.flv", "cam-12.flv", "cam-1795228433-1.flv", "-1795228433.flv", ".x-1795228433.flv",
            "x-1795228433.flv",
        ] {
            try "not a recording".write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
        let library = studio.restarted()
        #expect(await library.reconcile() == ReconcileResult())
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 8)
    }

    @Test func linksAreNotFollowed() async throws {
        let studio = try studio(files: 1)
        let secret = "\(studio.folder.path)/secret"
        try "secret".write(toFile: secret, atomically: true, encoding: .utf8)
        let folder = "\(studio.folder.path)/flv"
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/cam-1795000000.flv", withDestinationPath: secret)
        let row = try #require(try await studio.rows().first)
        let path = try #require(studio.paths(.flv).last)
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: secret)
        #expect(try await studio.library.file(row.id) == nil)
        _ = await studio.restarted().reconcile()
        #expect(try String(contentsOfFile: secret, encoding: .utf8) == "secret")
    }

    @Test func unreadableIndexIsPutAside() async throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/deep/recordings.db"
        try FileManager.default.createDirectory(atPath: "\(folder.path)/deep", withIntermediateDirectories: true)
        try String(repeating: "no database ", count: 500).write(toFile: path, atomically: true, encoding: .utf8)
        let index = RecordingIndex(path: path)
        index.save(
            RecordingFile(
                stream: "cam",
                app: "",
                format: .flv,
                path: "cam-1795228433.flv",
                startMilliseconds: 1,
                endMilliseconds: 2,
                durationMilliseconds: 1,
                bytes: 1,
                state: .complete
            )
        )
        _ = index.flush()
        #expect(index.pending == 0)
        #expect(try index.totalBytes() == 1)
        #expect(FileManager.default.fileExists(atPath: path + ".broken"))
    }

    @Test func brokenDatabaseDoesNotStopRecording() async throws {
        let studio = try Studio()
        try await studio.database.write { try $0.execute(sql: "PRAGMA user_version = 1") }
        try studio.database.close()
        let recorder = try studio.recorder(.flv)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        for index in 0..<4 {
            studio.pictures(index * 25..<index * 25 + 25, into: recorder)
            studio.library.tick()
        }
        recorder.finish()
        let complaints = studio.reports.count { if case .indexFault = $0 { true } else { false } }
        #expect(complaints == 1)
        #expect(size(try #require(studio.paths(.flv).first)) > 100_000)
        #expect(studio.library.index.pending == 1)
    }

    @Test func filesAreFoundByTime() async throws {
        let studio = try studio(files: 5)
        let all = try await studio.rows()
        let library = studio.library
        #expect(all.count == 5)
        let third = all[2]
        let found = try await library.files(
            stream: "cam",
            from: third.startMilliseconds + 1,
            to: third.endMilliseconds - 1
        )
        #expect(found.files == [third])
        #expect(try await library.files(stream: "other").total == 0)
        let page = try await library.files(limit: 2, offset: 3)
        #expect(page.files == Array(all[3...4]) && page.total == 5)
        #expect(try await library.file(third.id)?.size == third.bytes)
        #expect(try await library.file(third.id)?.contentType == "video/x-flv")
        #expect(try await library.delete(third.id))
        #expect(try await library.file(third.id) == nil)
        #expect(studio.paths(.flv).count == 4)
        #expect(try await library.delete(third.id) == false)
    }
}
