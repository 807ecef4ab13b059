import Foundation
import Programs

/// VLC without a window.
struct VLC: Sendable {
    let path: String

    static let installed = ["/usr/bin/vlc", "/usr/local/bin/vlc"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
        .map(VLC.init)

    /// Plays a URL to its end: what comes out of its demuxers goes into a Matroska file, with its times.
    func launch(_ url: String, into file: String, _ folder: TemporaryFolder) throws -> Program {
        let words = [
            path, "--intf", "dummy", "--quiet", "--play-and-exit", "--sout",
            "#std{access=file,mux=avformat{mux=matroska},dst=\(file)}", url, "vlc://quit",
        ]
        guard geteuid() == 0 else { return try Program(words[0], Array(words.dropFirst())) }
        // It refuses to be root.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path)
        return try Program(
            "/usr/bin/setpriv",
            ["--reuid=65534", "--regid=65534", "--clear-groups", "--"] + words,
            environment: ["HOME": folder.path, "XDG_RUNTIME_DIR": folder.path]
        )
    }
}
