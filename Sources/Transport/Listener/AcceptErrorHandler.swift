import NIOCore

/// Tells that the system refuses to accept, at the most once in 10 s. What follows it in the pipeline waits and tries again.
final class AcceptErrorHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let interval = TimeAmount.seconds(10)
    private let report: @Sendable (String) -> Void
    private var quietUntil = NIODeadline.uptimeNanoseconds(0)

    init(report: @escaping @Sendable (String) -> Void) {
        self.report = report
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let now = context.eventLoop.now
        if now >= quietUntil {
            quietUntil = now + Self.interval
            report("\(error)")
        }
        context.fireErrorCaught(error)
    }
}
