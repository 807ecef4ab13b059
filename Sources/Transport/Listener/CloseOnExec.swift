import Glibc
import NIOCore

extension Channel {
    /// Keeps the socket from programs that this process starts. NIO's are inherited: a connection that is closed here would stay open
    /// for its peer as long as such a program runs.
    func closeOnExec() {
        _ = try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { descriptor in
            fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }
}
