import Foundation
import Programs

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
