import Foundation
import Media
import Testing

@testable import Recording

@Suite("Recordings over publications") struct LibraryTests {
    @Test func askedForRecordingWaitsAndGoesOnOverPublications() throws {
        let studio = try Studio()
        let id = try studio.library.start(stream: "cam", app: "live", format: .flv)
        #expect(studio.library.list().map(\.phase) == [.waiting])
        for round in 0..<2 {
            let recorders = studio.library.recorders(stream: "cam", app: "live")
            #expect(recorders.map(\.id) == [id])
            recorders[0].receive(.video(Synthetic.video), startsGOP: false)
            studio.pictures(0..<30, into: recorders[0])
            #expect(studio.library.status(id)?.phase == .recording)
            recorders[0].finish()
            #expect(studio.library.status(id)?.phase == .waiting)
            #expect(studio.library.status(id)?.files == round + 1)
        }
        #expect(studio.library.recorders(stream: "other", app: "live").isEmpty)
        #expect(studio.library.stop(id))
        #expect(studio.library.list().isEmpty)
        #expect(!studio.library.stop(id))
    }

    @Test func stoppedRecordingIsClosedByItsLoop() async throws {
        let studio = try Studio()
        let recorder = try studio.recorder(.flv)
        recorder.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<30, into: recorder)
        #expect(studio.library.stop(recorder.id))
        #expect(!recorder.isFinished)
        #expect(studio.library.list().map(\.phase) == [.ending])
        recorder.tick()
        #expect(recorder.isFinished)
        #expect(studio.library.list().isEmpty)
        #expect(try await studio.rows().map(\.state) == [.complete])
    }

    @Test func rulesRecordWhatTheyName() throws {
        let studio = try Studio {
            $0.rules = [
                RecordingRule(format: .flv), RecordingRule(format: .ts, streams: ["cam1", "gate*"]),
            ]
        }
        #expect(studio.library.recorders(stream: "cam1", app: "live").map(\.format) == [.flv, .ts])
        #expect(studio.library.recorders(stream: "gate-7", app: "live").map(\.format) == [.flv, .ts])
        let one = studio.library.recorders(stream: "cam2", app: "live")
        #expect(one.map(\.format) == [.flv])
        #expect(studio.library.list().count { $0.stream == "cam2" && $0.isAutomatic } == 1)
        one[0].finish()
        #expect(studio.library.list().count { $0.stream == "cam2" } == 0)
    }

    @Test func nextPublisherTakesTheRecordingOver() async throws {
        let studio = try Studio { $0.rules = [RecordingRule(format: .flv)] }
        let old = studio.library.recorders(stream: "cam", app: "live")[0]
        old.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<30, into: old)
        let new = studio.library.recorders(stream: "cam", app: "live")[0]
        #expect(new.id == old.id)
        new.receive(.video(Synthetic.video), startsGOP: false)
        studio.pictures(0..<30, into: new)
        studio.pictures(30..<40, into: old)
        #expect(old.isFinished && !new.isFinished)
        old.finish()
        studio.pictures(30..<60, into: new)
        new.finish()
        #expect(try await studio.rows().count == 2)
        #expect(studio.library.list().isEmpty)
    }

    @Test func recorderThatIsForgottenClosesItsFile() async throws {
        let studio = try Studio()
        do {
            let recorder = try studio.recorder(.ts)
            recorder.receive(.video(Synthetic.video), startsGOP: false)
            studio.pictures(0..<30, into: recorder)
        }
        #expect(studio.library.openFiles == 0)
        #expect(try await studio.rows().map(\.state) == [.complete])
    }

    @Test func shutDownWaitsForTheDisk() async throws {
        let folder = TemporaryFolder()
        var configuration = RecordingConfiguration()
        configuration.folders = RecordingFolders(root: folder.path)
        let clock = TestClock()
        let library = RecordingLibrary(
            configuration,
            index: RecordingIndex(path: "\(folder.path)/recordings.db"),
            clock: { clock.milliseconds },
            report: { _ in }
        )
        // One of them is not finished by its loop.
        var recorders: [Recorder] = []
        for name in ["a", "b", "c"] {
            let recorder = try #require(library.recorder(try library.start(stream: name, format: .ts)))
            recorder.receive(.video(Synthetic.video), startsGOP: false)
            for index in 0..<100 {
                clock.advance(40)
                recorder.receive(.frame(Synthetic.picture(index, size: 5_000)), startsGOP: index % 25 == 0)
            }
            recorder.tick()
            if name != "c" { recorder.finish() }
            recorders.append(recorder)
        }
        await library.shutDown()
        #expect(throws: RecordingRefusal.shuttingDown) { try library.start(stream: "d", format: .flv) }
        let index = RecordingIndex(path: "\(folder.path)/recordings.db")
        let files = try index.files(stream: nil, from: nil, to: nil, limit: 10, offset: 0).files
        #expect(files.map(\.state) == [.complete, .complete, .complete])
        #expect(
            files.allSatisfy { $0.bytes == size("\(folder.path)/mpegts/\($0.path)") && $0.durationMilliseconds > 3500 }
        )
        withExtendedLifetime(recorders) {}
    }
}
