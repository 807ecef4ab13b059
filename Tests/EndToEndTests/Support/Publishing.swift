import Foundation
import Programs

extension FFmpeg {
    /// Publishes a file, again and again, until it is killed or refused.
    func publishing(_ file: String, to url: String, loops: Bool = true) throws -> Program {
        let loop = loops ? ["-stream_loop", "-1"] : []
        return try Program(
            path,
            ["-v", "warning", "-nostdin", "-re"] + loop + ["-i", file, "-c", "copy", "-f", "flv", url]
        )
    }
}
