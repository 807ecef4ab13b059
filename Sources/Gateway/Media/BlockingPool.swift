internal import NIOPosix

/// Threads for what may wait for a disk, so that no event loop does.
struct BlockingPool: Sendable {
    private let pool: NIOThreadPool

    init(threads: Int = 2) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    func run(_ work: @escaping @Sendable () -> Void) {
        pool.submit { _ in work() }
    }

    func shutDown() async {
        try? await pool.shutdownGracefully()
    }
}
