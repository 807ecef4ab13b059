import Foundation

/// GStreamer's command line.
struct GStreamer: Sendable {
    let path: String

    static let installed = ["/usr/bin/gst-launch-1.0", "/usr/local/bin/gst-launch-1.0"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
        .map(GStreamer.init)

    func launch(_ pipeline: String) throws -> Program {
        try Program(path, ["-q", "-e"] + pipeline.split(separator: " ").map(String.init))
    }
}
