import Hub
import NIOCore
import NIOHTTP1
import Streaming

/// Reads requests one after the other. A player's connection loses its HTTP handlers and is a viewer of the Hub from then on;
/// all else gets a short answer.
final class MediaHTTPHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    /// What a client may still send after an answer that ended the connection, before it is closed for good.
    private static let linger = TimeAmount.seconds(1)
    private static let longestFarewell = TimeAmount.seconds(5)
    /// A client that does not take an answer within this time is gone.
    private static let longestAnswer = TimeAmount.seconds(60)

    private static let maximumPending = 64
    /// A playlist, which is copied behind its head: one piece is cheaper to write than two.
    private static let shortBody = 16 * 1024

    let hub: Hub
    let configuration: MediaHTTPConfiguration
    let sink: ViewerSink
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    /// Of the request that is being read.
    private var head: HTTPRequestHead?
    private var bodyBytes = 0
    private var isWhole = false
    private var requests = 0
    /// When the client has had its time. A timer looks then, and again when it has got more meanwhile: to set one for each answer
    /// costs as much as to find it.
    private var deadline = NIODeadline.distantFuture
    private var timer: (due: NIODeadline, task: Scheduled<Void>)?
    private var knownClient: (host: String, address: String)?
    /// The connection is a viewer's, or is about to be closed.
    private var isDone = false
    /// An answer is to come, or is still being sent: what the client asks for meanwhile waits.
    private var isAnswering = false
    private var pending: [HTTPServerRequestPart] = []
    /// What is left of an answer is in NIO's hands, too much for the next to be put behind it.
    private var isDraining = false
    var newestPlaylist: (target: String, request: HLSRequest)?

    init(
        hub: Hub,
        configuration: MediaHTTPConfiguration,
        sink: ViewerSink,
        decoder: ByteToMessageHandler<HTTPRequestDecoder>
    ) {
        self.hub = hub
        self.configuration = configuration
        self.sink = sink
        self.decoder = decoder
    }

    func handlerAdded(context: ChannelHandlerContext) {
        wait(configuration.requestTimeout, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    /// Answers that are still to come are for nobody.
    private func end() {
        isDone = true
        stopWaiting()
        pending = []
        head = nil
    }

    /// The other end, without port and with it.
    func client(_ context: ChannelHandlerContext) -> (host: String, address: String) {
        if let knownClient { return knownClient }
        let address = context.channel.remoteAddress
        let host = address?.ipAddress ?? ""
        let client = (host, address.map { "\(host):\($0.port ?? 0)" } ?? "")
        knownClient = client
        return client
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receive(unwrapInboundIn(data), context)
    }

    private func receive(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        guard !isAnswering else {
            pending.append(part)
            if pending.count >= Self.maximumPending { context.close(promise: nil) }
            return
        }
        switch part {
        case .head(let head):
            begin(head, context)
        case .body(let bytes):
            bodyBytes &+= bytes.readableBytes
            guard bodyBytes > configuration.maximumBodyBytes else { return }
            fail(.payloadTooLarge, "the request's body is longer than \(configuration.maximumBodyBytes) bytes", context)
        case .end:
            guard let head else { return }
            isWhole = true
            answer(head, context)
            if !isAnswering { self.head = nil }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.close(promise: nil)
            return
        }
        let status: HTTPResponseStatus = error == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest
        fail(status, "the request cannot be read: \(error)", context)
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        self.head = head
        bodyBytes = 0
        isWhole = false
        requests &+= 1
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }),
            length > configuration.maximumBodyBytes
        {
            fail(.payloadTooLarge, "the request's body is longer than \(configuration.maximumBodyBytes) bytes", context)
            return
        }
        guard let expected = head.headers.first(name: "expect"), head.version.isAtLeast1_1 else { return }
        if expected.lowercased() == "100-continue" {
            context.channel.writeAndFlush(MediaHTTPResponse.goOn, promise: nil)
        } else {
            fail(.expectationFailed, "of expectations only 100-continue is known here", context)
        }
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        switch head.method {
        case .OPTIONS:
            finish(context) { MediaHTTPResponse.options(head.headers, connection: $0) }
        case .GET, .HEAD:
            serve(head, context)
        default:
            fail(
                .methodNotAllowed,
                "\(head.method.rawValue) is not possible here: streams are fetched with GET",
                context
            )
        }
    }

    func fail(_ status: HTTPResponseStatus, _ reason: String, _ context: ChannelHandlerContext) {
        let withBody = head?.method != .HEAD
        finish(context) { MediaHTTPResponse.failure(status, reason, withBody: withBody, connection: $0) }
    }

    /// Answers; the connection lasts when the client wants it to and its request was read to the end.
    func finish(_ context: ChannelHandlerContext, _ response: (HTTPConnectionState) -> ByteBuffer) {
        guard !isDone else { return }
        let channel = context.channel
        let isReadToEnd = head != nil && isWhole
        if isReadToEnd, head?.leavesConnection == true, requests < configuration.maximumRequests {
            channel.writeAndFlush(response(.keepAlive), promise: nil)
            wait(configuration.idleTimeout, context)
            return
        }
        isDone = true
        stopWaiting()
        // A peer that takes nothing never lets the write end.
        channel.eventLoop.scheduleTask(in: Self.longestFarewell) { channel.close(promise: nil) }
        channel.writeAndFlush(response(.close)).whenComplete { _ in
            guard !isReadToEnd else {
                channel.close(promise: nil)
                return
            }
            // Closing with bytes unread resets the connection, and the client might never see the answer.
            channel.close(mode: .output).whenFailure { _ in channel.close(promise: nil) }
            channel.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
        }
    }

    private func wait(_ limit: TimeAmount, _ context: ChannelHandlerContext) {
        deadline = .now() + limit
        guard let due = timer?.due, due <= deadline else {
            setTimer(context)
            return
        }
    }

    private func setTimer(_ context: ChannelHandlerContext) {
        timer?.task.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let task = context.eventLoop.scheduleTask(deadline: deadline) {
            let (handler, context) = bound.value
            handler.timer = nil
            guard handler.deadline <= .now() else {
                if handler.deadline < .distantFuture { handler.setTimer(context) }
                return
            }
            handler.runOut(context)
        }
        timer = (deadline, task)
    }

    private func runOut(_ context: ChannelHandlerContext) {
        guard !isAnswering, requests == 0 || head != nil else {
            // Idle after an answer: an error now might be taken for the answer to a request that is on its way.
            context.close(promise: nil)
            return
        }
        fail(.requestTimeout, "no whole request within the time limit", context)
    }

    /// An answer follows later: with `sent` the next request is read. Clients of HLS ask as often as they like, one answer after the
    /// other.
    func beginAnswer() {
        isAnswering = true
        requests = 1
        deadline = .distantFuture
    }

    /// The answer to the request that `beginAnswer` was for.
    func finishAnswer(_ context: ChannelHandlerContext, _ response: (HTTPConnectionState) -> HTTPAnswer) {
        guard isAnswering, !isDone, let head else { return }
        let channel = context.channel
        let state = head.leavesConnection ? HTTPConnectionState.keepAlive : .close
        let answer = response(state)
        // Who takes nothing never lets the write end.
        wait(Self.longestAnswer, context)
        var bytes = answer.head
        if let body = answer.body, body.readableBytes > Self.shortBody {
            channel.write(bytes, promise: nil)
            bytes = body
        } else if let body = answer.body {
            bytes.writeImmutableBuffer(body)
        }
        guard state == .keepAlive else {
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            channel.writeAndFlush(bytes).whenComplete { _ in
                let (handler, context) = bound.value
                handler.answerSent(context, state)
            }
            return
        }
        channel.writeAndFlush(bytes, promise: nil)
        isDraining = !channel.isWritable
        if !isDraining { answerSent(context, state) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isDraining, context.channel.isWritable {
            isDraining = false
            answerSent(context, .keepAlive)
        }
        context.fireChannelWritabilityChanged()
    }

    private func answerSent(_ context: ChannelHandlerContext, _ state: HTTPConnectionState) {
        guard isAnswering, !isDone else { return }
        isAnswering = false
        head = nil
        guard state == .keepAlive else {
            isDone = true
            stopWaiting()
            context.close(promise: nil)
            return
        }
        wait(configuration.idleTimeout, context)
        let parts = pending
        pending = []
        for part in parts { receive(part, context) }
    }

    /// The connection is a viewer's from now on, and no HTTP is read from it any more.
    /// - Parameter handler: reads what the viewer sends.
    func handOver(_ context: ChannelHandlerContext, to handler: (any ChannelInboundHandler)?) {
        isDone = true
        let pipeline = context.pipeline.syncOperations
        if let handler { try? pipeline.addHandler(handler, position: .last) }
        // This one first: what the decoder has left over is no HTTP.
        pipeline.removeHandler(context: context, promise: nil)
        pipeline.removeHandler(decoder, promise: nil)
    }

    private func stopWaiting() {
        deadline = .distantFuture
        timer?.task.cancel()
        timer = nil
    }
}

extension HTTPRequestHead {
    /// The client wants to ask more, and can: the decoder reads nothing behind a request to switch protocols.
    fileprivate var leavesConnection: Bool {
        isKeepAlive && !headers.contains(name: "upgrade") && method != .CONNECT
    }
}

extension HTTPVersion {
    var isAtLeast1_1: Bool { major > 1 || major == 1 && minor >= 1 }
}
