import Foundation
import Synchronization

/// Another's player, as the judge of what we send.
struct FFmpeg: Sendable {
    let path: String

    static let installed = ["/usr/bin/ffmpeg", "/usr/local/bin/ffmpeg", "/opt/homebrew/bin/ffmpeg"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
        .map(FFmpeg.init)

    /// Version 6.1 or later, which speaks Enhanced RTMP: named by the environment, else what `scripts/setup.sh test` installed.
    static let recent: FFmpeg? = {
        let folder = "\(Project.root)/.build/test-tools/imageio_ffmpeg/binaries"
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let installed = files.first { $0.hasPrefix("ffmpeg-") }.map { "\(folder)/\($0)" }
        return (ProcessInfo.processInfo.environment["GBGATE_FFMPEG"] ?? installed).map(FFmpeg.init)
    }()

    struct Output: Sendable {
        let status: Int32
        let text: String
        /// What it complained of.
        let errors: String

        /// The picture checksums of a framemd5 listing.
        var pictures: [String] {
            text.split(separator: "\n").filter { !$0.hasPrefix("#") }
                .compactMap { $0.split(separator: ",").last?.trimmingCharacters(in: .whitespaces) }
        }
    }

    func run(_ arguments: [String]) async throws -> Output {
        let program = try Program(path, ["-v", "error", "-nostdin"] + arguments)
        let status = try await program.exit(limit: .seconds(40))
        return Output(status: status, text: program.output, errors: program.errors)
    }

    /// Checksums of the decoded pictures of an input, which is not paced or evened out.
    func pictures(_ input: [String], seconds: Double? = nil) async throws -> Output {
        let limit = seconds.map { ["-t", "\($0)"] } ?? []
        return try await run(
            input + limit + ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
        )
    }
}

/// A program that runs beside the test.
final class Program: Sendable {
    private let process: Mutex<Process>
    private let files: [String]
    private let ended: AsyncStream<Int32>

    let id: Int32

    init(_ path: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil) throws {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        if let folder { process.currentDirectoryURL = URL(filePath: folder) }
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nobody need read while it runs.
        let base = FileManager.default.temporaryDirectory.appending(path: "gbgate-\(UUID().uuidString)").path
        files = ["\(base).out", "\(base).err"]
        let handles = files.map { path in
            _ = FileManager.default.createFile(atPath: path, contents: nil)
            return FileHandle(forWritingAtPath: path)
        }
        process.standardOutput = handles[0]
        process.standardError = handles[1]
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        ended = stream
        process.terminationHandler = {
            continuation.yield($0.terminationStatus)
            continuation.finish()
        }
        try process.run()
        id = process.processIdentifier
        self.process = Mutex(process)
    }

    deinit {
        kill(SIGKILL)
        for file in files { try? FileManager.default.removeItem(atPath: file) }
    }

    var output: String { (try? String(contentsOfFile: files[0], encoding: .utf8)) ?? "" }
    var errors: String { (try? String(contentsOfFile: files[1], encoding: .utf8)) ?? "" }

    var isRunning: Bool { process.withLock { $0.isRunning } }

    func kill(_ signal: Int32) {
        if isRunning { Foundation.kill(id, signal) }
    }

    /// Waits for its end; kills it after `limit`.
    func exit(limit: Duration) async throws -> Int32 {
        let killer = Task {
            try await Task.sleep(for: limit)
            self.kill(SIGKILL)
        }
        defer { killer.cancel() }
        for await status in ended { return status }
        throw NeverHappened(what: "the end of process \(id)")
    }
}
