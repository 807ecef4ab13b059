package import NIOCore
package import Wire

package struct RTSPServerConfiguration: Sendable {
    /// `Server`.
    package var name = "gbgate"
    /// A connection without a session that asks nothing is closed.
    package var idleTimeout: TimeAmount = .seconds(60)
    /// A request that was begun has to be complete.
    package var messageTimeout: TimeAmount = .seconds(10)
    /// Requests that wait behind one that is not answered.
    package var maximumWaiting = 32
    /// Where everybody has the same user and password: asked for at `authenticatedMethods`. A caller with other rules asks
    /// with `authenticate`.
    package var credentials: DigestCredentials?
    package var authentication = RTSPAuthentication()
    /// SETUP: of players only. Everything else is authorised by knowing the session.
    package var authenticatedMethods: [RTSPMethod] = [.describe, .announce, .setup]
    /// How long a connection stays whose client has tried too often.
    package var refusalPause: TimeAmount = .seconds(2)

    package init() {}
}

/// What the owner of a connection is to do. Every request is answered once, with `respond`, now or later; those behind it wait.
/// The actions that `respond` gives come before the rest of those that brought the request; after a close there are none.
package enum RTSPServerAction: Hashable, Sendable {
    case send(ByteBuffer)
    /// To be answered with `RTSPServerReply.description` or a status.
    indirect case describe(RTSPServerRequest)
    /// To be answered with `RTSPServerSession.announced` of a new session, or a status.
    indirect case announce(RTSPServerRequest)
    /// SETUP, PLAY, PAUSE, RECORD, TEARDOWN and whatever else names a session: find it by `sessionID`, and hand it the request. A
    /// SETUP without a session begins one that plays. A session that is not found: `RTSPStatus.sessionNotFound`.
    indirect case session(RTSPServerRequest)
    /// A packet of an interleaved channel, for the connection's session, if it has one when this action has its turn.
    case frame(channel: UInt8, ByteBuffer)
    /// After what was sent. Nil: the client is done.
    case close(RTSPFault?)
}

/// One RTSP client of this server, or its tunnel: requests, their order, authentication. What a session is and does is
/// `RTSPServerSession`'s: it may be driven from several connections, and outlive them.
package struct RTSPServerConnection: Sendable {
    package struct Statistics: Hashable, Sendable {
        package var bytesReceived: UInt64 = 0
        package var requests: UInt64 = 0
        /// Responses, of which a server waits for none.
        package var responses: UInt64 = 0
        package var frames: UInt64 = 0
        /// Interleaved frames while the connection had no session.
        package var framesOutOfPlace: UInt64 = 0
    }

    package private(set) var statistics = Statistics()
    /// The session that this connection serves: requests that name none are about it.
    package private(set) var sessionID: String?
    /// Its media is on this connection.
    package private(set) var isInterleaved = false
    /// Of the last request.
    package private(set) var userAgent = ""

    private let configuration: RTSPServerConfiguration
    private let peer: RTSPPeer
    private let policy: RTSPTransportPolicy
    private var authenticator: RTSPAuthenticator
    private var reader = RTSPReader(.server)
    private var waiting: [RTSPRequest] = []
    private var waitingBytes = 0
    /// What ends the connection once the requests before it are answered.
    private var fault: RTSPFault?
    /// The request that the owner has not answered.
    private var question: (request: RTSPServerRequest, cseq: String)?
    private var tokens: UInt64 = 0
    private var lastRequest: NIODeadline
    private var messageBegan: NIODeadline?
    /// The client has tried too often: it is closed then, and not listened to any more.
    private var refusedUntil: NIODeadline?
    private var isClosed = false

    /// - Parameter nonce: 32 random hexadecimal digits, for digest authentication.
    package init(
        configuration: RTSPServerConfiguration = .init(),
        peer: RTSPPeer,
        policy: RTSPTransportPolicy = .init(),
        nonce: String,
        now: NIODeadline
    ) {
        self.configuration = configuration
        self.peer = peer
        self.policy = policy
        authenticator = RTSPAuthenticator(configuration.authentication, nonce: nonce)
        lastRequest = now
    }

    /// When to call `advance` next.
    package var deadline: NIODeadline? {
        if isClosed { return nil }
        if let refusedUntil { return refusedUntil }
        let message = messageBegan.map { $0 + configuration.messageTimeout }
        guard question == nil, sessionID == nil else { return message }
        let idle = lastRequest + configuration.idleTimeout
        return message.map { min($0, idle) } ?? idle
    }

    package mutating func advance(to now: NIODeadline) -> [RTSPServerAction] {
        guard let deadline, now >= deadline else { return [] }
        if refusedUntil != nil { return close(.unauthorized) }
        if let began = messageBegan, now >= began + configuration.messageTimeout {
            return close(.timeout(.message))
        }
        return close(.timeout(.idle))
    }

    /// Takes bytes of the client.
    package mutating func receive(_ input: ByteBuffer, now: NIODeadline) -> [RTSPServerAction] {
        guard !isClosed, refusedUntil == nil, fault == nil else { return [] }
        statistics.bytesReceived &+= UInt64(input.readableBytes)
        var actions: [RTSPServerAction] = []
        var input = input
        do throws(RTSPFault) {
            while !isClosed, refusedUntil == nil, let event = try reader.next(from: &input) {
                switch event {
                case .frame(let channel, let payload):
                    statistics.frames &+= 1
                    // After TEARDOWN some clients send what they had in their queues.
                    if sessionID == nil, question == nil {
                        statistics.framesOutOfPlace &+= 1
                    } else {
                        actions.append(.frame(channel: channel, payload))
                    }
                case .response:
                    statistics.responses &+= 1
                case .request(let request):
                    messageBegan = nil
                    try take(request, now: now, into: &actions)
                }
            }
        } catch {
            if question != nil, error != .tooManyRequests { fault = error } else { actions += refuse(error) }
        }
        if isClosed || fault != nil || refusedUntil != nil || !reader.isWithinMessage {
            messageBegan = nil
        } else if messageBegan == nil {
            messageBegan = now
        }
        return actions
    }

    /// Answers a request, then goes on with those behind it. An answer to anything but the request that waits is dropped.
    package mutating func respond(
        to request: RTSPServerRequest,
        _ reply: RTSPServerReply,
        now: NIODeadline
    ) -> [RTSPServerAction] {
        guard !isClosed, let question, question.request.token == request.token else { return [] }
        self.question = nil
        lastRequest = now
        switch reply.binding {
        case .stays:
            // It has ended meanwhile: the next SETUP begins another one.
            guard reply.response.status == .sessionNotFound, request.sessionID == sessionID else { break }
            sessionID = nil
            isInterleaved = false
        case .serves(let id, let isInterleaved):
            sessionID = id
            self.isInterleaved = isInterleaved
        case .ends:
            sessionID = nil
            isInterleaved = false
        }
        var actions: [RTSPServerAction] = [send(reply.response, cseq: question.cseq)]
        do throws(RTSPFault) {
            try goOn(now: now, into: &actions)
        } catch {
            actions += refuse(error)
        }
        return actions
    }

    /// Whether the client of a request proved to be somebody: nil when it has and may go on. Otherwise the request has been
    /// answered, and the actions are to be performed.
    ///
    /// - Parameter isAllowed: asked only where the client claims to be somebody.
    package mutating func authenticate(
        _ request: RTSPServerRequest,
        now: NIODeadline,
        _ isAllowed: (RTSPClaim) -> Bool
    ) -> [RTSPServerAction]? {
        switch authenticator.check(request.message, url: request.url, isAllowed) {
        case .accepted:
            return nil
        case .challenge(let response):
            return respond(to: request, RTSPServerReply(response), now: now)
        case .refused(let response):
            // Whatever is behind it is not looked at any more.
            waiting = []
            fault = nil
            let actions = respond(to: request, RTSPServerReply(response), now: now)
            refusedUntil = now + configuration.refusalPause
            return actions
        }
    }

    /// The session has ended otherwise than by a request of this connection.
    package mutating func sessionEnded(_ id: String, now: NIODeadline) {
        guard sessionID == id else { return }
        sessionID = nil
        isInterleaved = false
        lastRequest = now
    }

    private mutating func take(
        _ request: RTSPRequest,
        now: NIODeadline,
        into actions: inout [RTSPServerAction]
    ) throws(RTSPFault) {
        statistics.requests &+= 1
        waitingBytes &+= request.body.readableBytes
        guard waiting.count < configuration.maximumWaiting, waitingBytes <= 2 &* RTSPReader.maximumBodyLength else {
            throw .tooManyRequests
        }
        waiting.append(request)
        try goOn(now: now, into: &actions)
    }

    /// Takes up the requests that wait, as long as none is open.
    private mutating func goOn(now: NIODeadline, into actions: inout [RTSPServerAction]) throws(RTSPFault) {
        while question == nil, !isClosed, refusedUntil == nil, !waiting.isEmpty {
            let request = waiting.removeFirst()
            waitingBytes &-= request.body.readableBytes
            lastRequest = now
            if let agent = request.headers["User-Agent"] { userAgent = agent }
            guard let cseq = request.cseq else { throw .noCSeq }
            if let response = answer(request) {
                actions.append(send(response, cseq: cseq))
            } else {
                ask(request, cseq: cseq, now: now, into: &actions)
            }
        }
        if question == nil, !isClosed, refusedUntil == nil, let fault { throw fault }
    }

    /// What needs nobody else; nil: it does.
    private func answer(_ request: RTSPRequest) -> RTSPResponse? {
        guard RTSPMethod.supported.contains(request.method) else {
            return RTSPResponse(.notImplemented, headers: ["Public": RTSPMethod.list(RTSPMethod.supported)])
        }
        let url = try? RTSPURL(request.target)
        guard url != nil || request.target == "*" && request.method == .options else {
            return RTSPResponse(.badRequest)
        }
        let unsupported = RTSPFeature.unsupported(request.headers)
        guard unsupported.isEmpty else {
            return RTSPResponse(
                .optionNotSupported,
                headers: ["Unsupported": unsupported.prefix(8).joined(separator: ", ")]
            )
        }
        switch request.method {
        case .options, .getParameter, .setParameter:
            return request.sessionID ?? sessionID == nil ? .alive(request.method) : nil
        case .describe:
            guard let accept = request.headers["Accept"], !Self.isSDP(accept) else { return nil }
            return RTSPResponse(.notAcceptable)
        case .announce:
            let type = request.headers["Content-Type"] ?? ""
            guard HeaderText.isEqual(String(type.prefix { $0 != ";" }), "application/sdp") else {
                return RTSPResponse(.unsupportedMediaType, headers: ["Accept": "application/sdp"])
            }
            return request.body.readableBytes == 0 ? RTSPResponse(.badRequest) : nil
        default:
            return nil
        }
    }

    private static func isSDP(_ accept: String) -> Bool {
        let accept = accept.lowercased()
        return accept.contains("application/sdp") || accept.contains("*/*") || accept.contains("application/*")
            || accept.allSatisfy { $0 == " " }
    }

    private mutating func ask(
        _ message: RTSPRequest,
        cseq: String,
        now: NIODeadline,
        into actions: inout [RTSPServerAction]
    ) {
        tokens &+= 1
        let request = RTSPServerRequest(
            token: tokens,
            message: message,
            url: try? RTSPURL(message.target),
            peer: peer,
            policy: policy,
            sessionID: message.sessionID ?? sessionID
        )
        question = (request, cseq)
        if let refusal = refusal(request, now: now) {
            actions += refusal
            return
        }
        switch request.method {
        case .describe: actions.append(.describe(request))
        case .announce: actions.append(.announce(request))
        default: actions.append(.session(request))
        }
    }

    /// Answers what may not be asked; nil: it may.
    private mutating func refusal(_ request: RTSPServerRequest, now: NIODeadline) -> [RTSPServerAction]? {
        // A connection serves one session at a time.
        if let serves = sessionID, request.method == .announce || request.sessionID != serves,
            request.method != .describe
        {
            let reply = RTSPServerReply.status(request.method == .announce ? .notValidInState : .badRequest)
            return respond(to: request, reply, now: now)
        }
        guard let credentials = configuration.credentials, needsAuthentication(request) else { return nil }
        return authenticate(request, now: now) { claim in
            claim.username == credentials.username && claim.isValid(password: credentials.password)
        }
    }

    private func needsAuthentication(_ request: RTSPServerRequest) -> Bool {
        configuration.authenticatedMethods.contains(request.method)
            && !(request.method == .setup && request.isForRecord)
    }

    private func send(_ response: RTSPResponse, cseq: String?) -> RTSPServerAction {
        var headers = RTSPHeaders()
        if let cseq { headers.add("CSeq", cseq) }
        headers.add("Server", configuration.name)
        for field in response.headers.fields { headers.add(field.name, field.value) }
        var buffer = ByteBuffer()
        RTSPResponse(response.status, headers: headers, body: response.body).write(into: &buffer)
        return .send(buffer)
    }

    private mutating func refuse(_ fault: RTSPFault) -> [RTSPServerAction] {
        // Whoever speaks another protocol does not understand an answer in this one.
        let answers = fault != .http && fault != .badStartLine
        return (answers ? [send(RTSPResponse(fault.status), cseq: nil)] : []) + close(fault)
    }

    private mutating func close(_ fault: RTSPFault?) -> [RTSPServerAction] {
        isClosed = true
        question = nil
        waiting = []
        return [.close(fault)]
    }
}

extension RTSPResponse {
    /// The answer to what only shows that the client is there.
    static func alive(_ method: RTSPMethod) -> RTSPResponse {
        method == .options
            ? RTSPResponse(.ok, headers: ["Public": RTSPMethod.list(RTSPMethod.supported)])
            : RTSPResponse(.ok, headers: ["Content-Type": "text/parameters"])
    }
}
