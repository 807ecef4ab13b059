import Foundation
import Media
import Testing

@testable import Recording

@Suite("A stream's name never leaves its folder") struct NameTests {
    static let attacks = [
        "", ".", "..", "../x", "a/b", "/etc/passwd", "a/../b", "x..y", "a\\b", "a\u{0}b", "a\nb", "a\u{7F}b",
        "a\u{85}b", ".hidden",
        "..\u{2F}x", "a\u{2028}b", String(repeating: "n", count: 201), String(repeating: "图", count: 67),
    ]

    @Test(arguments: attacks, RecordingFormat.allCases)
    func badNamesAreRefused(_ name: String, _ format: RecordingFormat) throws {
        let studio = try Studio()
        #expect(throws: RecordingRefusal.badName(name)) { try studio.library.start(stream: name, format: format) }
        if name.utf8.count <= StreamFileName.maximumLength {
            #expect(RecordingPath(folder: "/tmp", subfolder: name, file: "x.ts") == nil)
        }
        let found = try FileManager.default.subpathsOfDirectory(atPath: studio.folder.path)
        #expect(found == [])
    }

    @Test(arguments: attacks) func rulesSayWhatTheyRefuse(_ name: String) throws {
        let studio = try Studio { $0.rules = [RecordingRule(format: .flv)] }
        #expect(studio.library.recorders(stream: name, app: "live").isEmpty)
        #expect(studio.reports == [.refused(stream: name, format: .flv, .badName(name))])
    }

    @Test(arguments: [
        "cam", "34020000001320000001", "摄像头 1", "a.b", "a-b_c", "-x", "cam-1795228433", "%2e%2e%2f", "~", "$(reboot)",
        String(repeating: "n", count: 200),
    ])
    func ordinaryNamesMakeFiles(_ name: String) async throws {
        let studio = try Studio()
        for format in RecordingFormat.allCases {
            let recorder = try studio.recorder(format, stream: name)
            recorder.receive(.video(Synthetic.video), startsGOP: false)
            studio.pictures(0..<30, into: recorder)
            recorder.finish()
        }
        #expect(studio.faults.isEmpty)
        let rows = try await studio.rows()
        #expect(rows.count == 4)
        for row in rows {
            // The name is read back from the disk as it was.
            let file = try #require(row.path.split(separator: "/").last.map(String.init))
            #expect(RecordingFileName(file, format: row.format)?.stream == name)
            let download = try #require(try await studio.library.file(row.id))
            #expect(download.path.hasPrefix(studio.folder.path))
        }
        for entry in try FileManager.default.contentsOfDirectory(atPath: studio.folder.path) {
            #expect(["flv", "mpegts", "mp4", "hls"].contains(entry))
        }
    }

    @Test func folderOfAStreamThatIsALinkIsNotEntered() throws {
        let studio = try Studio()
        let outside = TemporaryFolder()
        try FileManager.default.createDirectory(atPath: "\(studio.folder.path)/hls", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(studio.folder.path)/hls/cam",
            withDestinationPath: outside.path
        )
        let recorder = try studio.recorder(.hls)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<30, into: recorder)
        recorder.finish()
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path) == [])
        #expect(studio.faults.count == 1)
    }

    @Test func indexCannotNameAFileOutside() async throws {
        let studio = try Studio()
        _ = try await studio.rows()
        try await studio.database.write { database in
            for (index, path) in ["../../etc/passwd", "/etc/passwd", "a/b/c", "..", "x/../y"].enumerated() {
                try database.execute(
                    sql:
                        "INSERT INTO recording_file VALUES (?, 's', 'a', 'flv', ?, 1, 2, 1, 1, 'complete', NULL, NULL, '')",
                    arguments: [index + 1, path]
                )
            }
        }
        for id in 1...5 { #expect(try await studio.library.file(Int64(id)) == nil) }
    }
}
