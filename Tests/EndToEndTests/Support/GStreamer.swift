import Foundation

/// GStreamer's command line.
struct GStreamer: Sendable {
    let path: String

    static let installed = ["/usr/bin/gst-launch-1.0", "/usr/local/bin/gst-launch-1.0"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
        .map(GStreamer.init)

    /// GStreamer's client of RTSP servers that are published to, in a package of its own.
    static let hasRTSPClientSink = hasPlugin("rtspclientsink")
    static let hasX264 = hasPlugin("x264")

    private static func hasPlugin(_ name: String) -> Bool {
        let folders = [
            "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib", "/opt/homebrew/lib",
        ]
        return installed != nil
            && folders.contains { FileManager.default.fileExists(atPath: "\($0)/gstreamer-1.0/libgst\(name).so") }
    }

    func launch(_ pipeline: String) throws -> Program {
        try Program(path, ["-q", "-e"] + pipeline.split(separator: " ").map(String.init))
    }
}
