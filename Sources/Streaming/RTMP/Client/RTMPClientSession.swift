package import Media
package import NIOCore

package struct RTMPClientConfiguration: Hashable, Sendable {
    package var role: RTMPServerSession.Role
    package var url: RTMPURL
    /// From the first packet until the server has accepted, over all connections that its authentication takes; nil: no limit.
    package var timeout: TimeAmount? = .seconds(10)
    /// A stream that is played and brings no media for so long is over.
    package var silenceTimeout: TimeAmount = .seconds(30)

    package init(_ role: RTMPServerSession.Role, _ url: RTMPURL) {
        self.role = role
        self.url = url
    }
}

/// The server has accepted publish or play.
package struct RTMPAcceptance: Hashable, Sendable {
    /// The message stream that the server has named: media to publish is sent on it.
    package var streamID: UInt32
    /// How the server takes H.265 (its `fourCcList`).
    package var hevc: FLVHEVCFormat
}

package enum RTMPClientAction: Hashable, Sendable {
    case send(ByteBuffer)
    /// At the most once.
    case started(RTMPAcceptance)
    /// Media of the stream that is played.
    case message(FLVMessage)
    /// The next step of the server's authentication needs a new connection: close this one, and call `start` when another is up.
    case reconnect
    /// The connection is of no more use.
    case close(RTMPClientFault)
}

/// Our side of a connection to another RTMP server: plays a stream, or publishes one. The media to publish is not its business:
/// the hub writes it, with `RTMPChunkWriter`, once the server has accepted.
package struct RTMPClientSession: Sendable {
    package struct Statistics: Hashable, Sendable {
        package var bytesReceived: UInt64 = 0
        package var unknownCommands = 0
        package var unknownMessages = 0
        /// Media before play was answered, or of a server that we publish to.
        package var mediaOutOfPlace = 0

        package init() {}
    }

    /// The answer that is waited for.
    enum Step: String {
        case connection = "the TCP connection"
        case handshake = "the handshake"
        case connect
        case createStream
        case role
        case started
        case closed
    }

    package internal(set) var statistics = Statistics()
    /// What the handshake showed of the server, for tests and logs.
    private(set) var handshakeForm: RTMPClientHandshake.Form?

    let configuration: RTMPClientConfiguration
    private(set) var step = Step.connection
    private let acceptDeadline: NIODeadline?
    var lastMedia: NIODeadline
    private var random: SplitMix64
    private var handshake: RTMPClientHandshake?
    private var reader = RTMPChunkReader()
    var authentication: RTMPClientAuthentication
    var acknowledgement = RTMPAcknowledgement()
    var hevc = FLVHEVCFormat.legacy
    var streamID: UInt32 = 0

    /// - Parameters:
    ///   - seed: random: it fills the handshake and the nonce of the authentication.
    ///   - now: the beginning of the attempt, before the name is resolved.
    package init(_ configuration: RTMPClientConfiguration, seed: UInt64, now: NIODeadline) {
        self.configuration = configuration
        acceptDeadline = configuration.timeout.map { now + $0 }
        lastMedia = now
        random = SplitMix64(state: seed)
        authentication = RTMPClientAuthentication(
            user: configuration.url.user,
            password: configuration.url.password
        )
    }

    /// When to call `advance` next.
    package var deadline: NIODeadline? {
        switch step {
        case .closed: nil
        case .started: configuration.role == .player ? lastMedia + configuration.silenceTimeout : nil
        default: acceptDeadline
        }
    }

    package mutating func advance(to now: NIODeadline) -> [RTMPClientAction] {
        guard let deadline, now >= deadline else { return [] }
        let name = step == .role ? roleName : step.rawValue
        return close(step == .started ? .silence : .timeout(step: name))
    }

    /// A connection is up: the first one, or one after `reconnect`.
    package mutating func start() -> [RTMPClientAction] {
        let handshake = RTMPClientHandshake(seed: random.next())
        self.handshake = handshake
        reader = RTMPChunkReader()
        if configuration.role == .player { reader.limits = .publisher }
        acknowledgement = RTMPAcknowledgement()
        statistics.bytesReceived = 0
        step = .handshake
        return [.send(handshake.hello)]
    }

    /// Takes bytes of the server.
    package mutating func receive(_ input: ByteBuffer, now: NIODeadline) -> [RTMPClientAction] {
        var actions: [RTMPClientAction] = []
        statistics.bytesReceived &+= UInt64(input.readableBytes)
        var input = input
        do throws(RTMPFault) {
            if try shakeHands(&input, into: &actions) {
                while isOpen, let message = try reader.next(from: &input) { handle(message, now: now, into: &actions) }
            }
        } catch {
            actions += close(.broken(error))
        }
        if isOpen, let bytes = acknowledgement.due(statistics.bytesReceived) { actions.append(.send(bytes)) }
        return actions
    }

    /// What to send before the connection is closed of our own accord; nil where the server has accepted nothing.
    package var goodbye: ByteBuffer? {
        step == .started ? RTMPClientRequest.goodbye(configuration, streamID: streamID) : nil
    }

    var roleName: String { configuration.role == .publisher ? "publish" : "play" }

    private var isOpen: Bool { step != .closed && step != .connection }

    private mutating func shakeHands(
        _ input: inout ByteBuffer,
        into actions: inout [RTMPClientAction]
    ) throws(RTMPFault) -> Bool {
        guard step == .handshake else { return isOpen }
        guard let (c2, form) = try handshake?.receive(&input) else { return false }
        handshake = nil
        handshakeForm = form
        step = .connect
        var bytes = c2
        RTMPClientRequest.connect(configuration, authentication: authentication.query, into: &bytes)
        actions.append(.send(bytes))
        return true
    }

    mutating func advanceStep(_ next: Step) {
        step = next
    }

    mutating func close(_ fault: RTMPClientFault) -> [RTMPClientAction] {
        step = .closed
        return [.close(fault)]
    }

    /// Eight random hexadecimal digits.
    mutating func nonce() -> String {
        let digits = String(random.next() & 0xFFFF_FFFF, radix: 16)
        return String(repeating: "0", count: 8 &- digits.utf8.count) + digits
    }
}
