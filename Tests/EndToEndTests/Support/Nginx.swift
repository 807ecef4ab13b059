import Foundation
import Programs

/// nginx with its RTMP module (Debian: libnginx-mod-rtmp), as the other end of relays.
final class Nginx: Sendable {
    static let path = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    static let module = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
    static let isInstalled = path != nil && FileManager.default.fileExists(atPath: module)

    let program: Program
    private let folder: TemporaryFolder

    /// Runs with an application `live` and waits until it listens.
    /// - Parameter directives: of the application: `push rtmp://…;`, `pull rtmp://…;`.
    init(port: Int, _ directives: String = "") async throws {
        folder = try TemporaryFolder()
        let file = "\(folder.path)/nginx.conf"
        let configuration = """
            load_module \(Self.module);
            daemon off; master_process off;
            error_log \(folder.path)/error.log info; pid \(folder.path)/nginx.pid;
            events { worker_connections 256; }
            rtmp { access_log off; server { listen 127.0.0.1:\(port); notify_relay_redirect off;
                application live { live on; push_reconnect 500ms; pull_reconnect 500ms; \(directives) } } }
            """
        try Array(configuration.utf8).write(toFile: file)
        program = try Program(Self.path ?? "nginx", ["-p", folder.path, "-c", file])
        do {
            try await wait(for: "nginx") {
                guard let connection = try? await Connection.open(port: port) else { return false }
                await connection.close()
                return true
            }
        } catch {
            throw NeverHappened(what: "nginx: \(program.errors)")
        }
    }

    var log: String { (try? String(contentsOfFile: "\(folder.path)/error.log", encoding: .utf8)) ?? "" }

    /// Ends it as a power cut would.
    func kill() async throws {
        program.kill(SIGKILL)
        _ = try await program.exit(limit: .seconds(5))
    }
}
