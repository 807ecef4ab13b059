import Foundation
import Programs

/// GStreamer's command line.
struct GStreamer: Sendable {
    let path: String

    static let installed = ["/usr/bin/gst-launch-1.0", "/usr/local/bin/gst-launch-1.0"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
        .map(GStreamer.init)

    /// Its player, in the package gstreamer1.0-plugins-base-apps.
    static let player = ["/usr/bin/gst-play-1.0", "/usr/local/bin/gst-play-1.0"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
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

    /// Plays a stream over RTSP until some packets of its picture came; what it printed where they did not.
    func playsRTSP(_ url: String, _ properties: String) async throws -> String? {
        let words =
            "-v rtspsrc location=\(url) \(properties) name=s s. ! application/x-rtp,media=video ! fakesink silent=false"
        let player = try Program(path, words.split(separator: " ").map(String.init))
        // Its exit status tells nothing: a PAUSE that it interrupts itself is an error to it.
        try? await wait(for: "50 packets") {
            !player.isRunning || player.output.components(separatedBy: "chain").count > 50
        }
        let isPlaying = player.isRunning && player.output.components(separatedBy: "chain").count > 50
        player.kill(SIGINT)
        _ = try await player.exit(limit: .seconds(10))
        return isPlaying ? nil : player.errors + player.output
    }
}
