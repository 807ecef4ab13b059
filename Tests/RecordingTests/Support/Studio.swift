import Foundation
import GRDB
import Media
import NIOCore
import Synchronization
import Testing

@testable import Recording

/// Wall time that a test moves.
final class TestClock: Sendable {
    private let now: Atomic<Int64>

    init(_ start: Int64 = 1_795_228_433_000) { now = Atomic(start) }

    var milliseconds: Int64 { now.load(ordering: .relaxed) }
    func advance(_ milliseconds: Int64) { now.wrappingAdd(milliseconds, ordering: .relaxed) }
}

/// Does the work when the test says so, on the test's thread.
final class ManualPool: RecordingPool {
    private let work = Mutex<[@Sendable () -> Void]>([])
    /// Work is done where it is asked for.
    private let isInline: Bool

    init(isInline: Bool = false) { self.isInline = isInline }

    func run(_ body: @escaping @Sendable () -> Void) {
        if isInline { body() } else { work.withLock { $0.append(body) } }
    }

    func runAll() {
        while true {
            let next = work.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            guard let next else { return }
            next()
        }
    }
}

/// The machine's file system with faults in between.
final class FaultyFiles: RecordingFileSystem {
    struct Plan {
        var create: CInt?
        var replace: CInt?
        var close: CInt?
        var remove: CInt?
        /// Bytes that may still be written; then ENOSPC, after what fits.
        var room: Int?
        /// At most so many bytes are taken by one call.
        var shortWrite: Int?
        var free: Int?
        var created: [String] = []
        var removed: [String] = []
    }

    let plan = Mutex(Plan())
    private let real = POSIXFileSystem()

    func set(_ change: (inout Plan) -> Void) { plan.withLock { change(&$0) } }

    private func check(_ call: String, _ code: CInt?) throws(FileFailure) {
        if let code { throw FileFailure(call, code: code) }
    }

    func create(_ path: RecordingPath) throws(FileFailure) -> CInt {
        try check("create", plan.withLock { $0.create })
        let descriptor = try real.create(path)
        plan.withLock { $0.created.append(path.relative) }
        return descriptor
    }

    func open(_ path: RecordingPath, forWriting: Bool) throws(FileFailure) -> CInt {
        try real.open(path, forWriting: forWriting)
    }

    func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) throws(FileFailure) -> Int {
        let allowed = plan.withLock { plan in
            let allowed = min(bytes.count, plan.shortWrite ?? bytes.count, plan.room ?? bytes.count)
            plan.room = plan.room.map { $0 - allowed }
            return allowed
        }
        guard allowed > 0 else { throw FileFailure("write", code: ENOSPC) }
        return try real.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes[0..<allowed]))
    }

    func read(_ descriptor: CInt, at offset: Int, count: Int) throws(FileFailure) -> ByteBuffer {
        try real.read(descriptor, at: offset, count: count)
    }

    func truncate(_ descriptor: CInt, to length: Int) throws(FileFailure) {
        let before = try real.size(descriptor)
        try real.truncate(descriptor, to: length)
        plan.withLock { plan in plan.room = plan.room.map { $0 + max(0, before - length) } }
    }

    func size(_ descriptor: CInt) throws(FileFailure) -> Int { try real.size(descriptor) }
    func isLinked(_ descriptor: CInt) -> Bool { real.isLinked(descriptor) }

    func close(_ descriptor: CInt) throws(FileFailure) {
        try real.close(descriptor)
        try check("close", plan.withLock { $0.close })
    }

    func replace(_ path: RecordingPath, with bytes: ByteBuffer) throws(FileFailure) {
        try check("replace", plan.withLock { $0.replace })
        try real.replace(path, with: bytes)
    }

    func rename(_ path: RecordingPath, to name: String) throws(FileFailure) { try real.rename(path, to: name) }

    func remove(_ path: RecordingPath) throws(FileFailure) {
        try check("remove", plan.withLock { $0.remove })
        try real.remove(path)
        plan.withLock { $0.removed.append(path.relative) }
    }

    func removeFolder(_ name: String, in folder: String) throws(FileFailure) {
        try real.removeFolder(name, in: folder)
    }

    func list(_ folder: String, subfolder: String?) throws(FileFailure) -> [FolderEntry] {
        try real.list(folder, subfolder: subfolder)
    }

    func space(_ folder: String) -> DiskSpace? {
        let removed = plan.withLock { plan in plan.free }
        return removed.map { DiskSpace(device: 1, free: $0) } ?? real.space(folder)
    }
}

/// A library over a temporary folder, with everything in the test's hand.
final class Studio {
    let folder = TemporaryFolder()
    let clock = TestClock()
    let pool: ManualPool
    let files = FaultyFiles()
    let database: DatabaseQueue
    let library: RecordingLibrary
    private let reported = Reports()

    final class Reports: Sendable {
        let list = Mutex<[RecordingReport]>([])
    }

    init(
        inline: Bool = true,
        database: DatabaseQueue? = nil,
        _ configure: (inout RecordingConfiguration) -> Void = { _ in }
    )
        throws
    {
        var configuration = RecordingConfiguration()
        configuration.folders = RecordingFolders(root: folder.path)
        configure(&configuration)
        pool = ManualPool(isInline: inline)
        self.database = try database ?? DatabaseQueue()
        let (clock, reported) = (clock, reported)
        library = RecordingLibrary(
            configuration,
            index: RecordingIndex(database: self.database),
            files: files,
            pool: pool,
            clock: { clock.milliseconds },
            report: { report in reported.list.withLock { $0.append(report) } }
        )
    }

    /// Another library over the same folder and database: after a restart.
    func restarted(_ configure: (inout RecordingConfiguration) -> Void = { _ in }) -> RecordingLibrary {
        var configuration = library.configuration
        configure(&configuration)
        let clock = clock
        return RecordingLibrary(
            configuration,
            index: RecordingIndex(database: database),
            files: files,
            pool: ManualPool(isInline: true),
            clock: { clock.milliseconds },
            report: { _ in }
        )
    }

    var reports: [RecordingReport] { reported.list.withLock { $0 } }
    var faults: [RecordingFault] {
        reports.compactMap { if case .fault(_, _, let fault) = $0 { fault } else { nil } }
    }
    var recoveries: Int { reports.count { if case .recovered = $0 { true } else { false } } }

    func recorder(
        _ format: RecordingFormat,
        stream: String = "cam",
        _ options: RecordingOptions = RecordingOptions()
    ) throws -> Recorder {
        let id = try library.start(stream: stream, app: "live", format: format, options: options)
        return try #require(library.recorder(id))
    }

    /// Gives events as their times say, with wall time beside.
    func play(_ events: [MediaEvent], into recorder: Recorder) {
        var last: Int64?
        for event in events {
            if case .frame(let frame) = event {
                if let last, frame.dts > last { clock.advance((frame.dts - last) / 90) }
                last = max(last ?? frame.dts, frame.dts)
                recorder.receive(event, startsGOP: frame.isKey && frame.track == .video)
            } else {
                recorder.receive(event, startsGOP: false)
            }
        }
    }

    func pictures(_ range: Range<Int>, into recorder: Recorder, size: Int = 1_000, from start: Int64 = 0) {
        for index in range {
            let frame = Synthetic.picture(index, size: size, from: start)
            clock.advance(40)
            recorder.receive(.frame(frame), startsGOP: frame.isKey)
        }
    }

    /// Paths of the media files of a format, the oldest first.
    func paths(_ format: RecordingFormat) -> [String] {
        let root = library.configuration.folders[format]
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: root)) ?? []
        return names.filter { $0.hasSuffix("." + format.fileExtension) }
            .sorted { ($0.count, $0) < ($1.count, $1) }.map { "\(root)/\($0)" }
    }

    func rows() async throws -> [RecordingFile] { try await library.files(limit: 1000).files }
}

func size(_ path: String) -> Int {
    ((try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int) ?? -1
}
