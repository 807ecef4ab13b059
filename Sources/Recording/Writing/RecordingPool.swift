internal import NIOPosix

/// Where work that may wait for a disk is done.
package protocol RecordingPool: Sendable {
    /// Never waits itself. Work of one recording is not given twice at a time.
    func run(_ work: @escaping @Sendable () -> Void)
}

/// A few threads of its own: a disk that hangs holds up recordings, and nothing else.
package struct RecordingThreads: RecordingPool {
    private let pool: NIOThreadPool

    package init(_ count: Int) {
        pool = NIOThreadPool(numberOfThreads: max(1, count))
        pool.start()
    }

    package func run(_ work: @escaping @Sendable () -> Void) {
        pool.submit { _ in work() }
    }

    /// After the library's `shutDown`.
    package func shutDown() async {
        try? await pool.shutdownGracefully()
    }
}
