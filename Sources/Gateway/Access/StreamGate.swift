internal import Hub
internal import Logging
internal import NIOCore
internal import Streaming
internal import Transport

/// Lets publishers and players in, or says why not. Asked on any event loop.
struct StreamGate: Sendable {
    let authorization: StreamAuthorization
    let hub: Hub
    let relays: Relays
    let unknownRTMP: UnknownStream
    let unknownFLV: UnknownStream
    let unknownTS: UnknownStream
    let unknownFMP4: UnknownStream
    let unknownRTSP: UnknownStream
    let blacklist: AddressBlacklist
    let logger: Logger
    private let limiter = LogRateLimiter()

    init(
        _ configuration: GatewayConfiguration,
        hub: Hub,
        relays: Relays,
        blacklist: AddressBlacklist,
        logger: Logger
    ) {
        authorization = StreamAuthorization(configuration.simpleAuth)
        self.hub = hub
        self.relays = relays
        unknownRTMP = configuration.rtmp.unknownStream
        unknownFLV = configuration.httpflv.unknownStream
        unknownTS = configuration.httpts.unknownStream
        unknownFMP4 = configuration.httpfmp4.unknownStream
        self.blacklist = blacklist
        unknownRTSP = configuration.rtsp.unknownStream
        self.logger = logger
    }

    func decide(_ access: RTMPAccess) -> RTMPAccessDecision {
        let address = access.request.address
        let isPublisher = access.role == .publisher
        let wish: StreamAuthorization.Access = isPublisher ? .publishRTMP : .playRTMP
        if let refusal = authorization.refusal(of: wish, stream: address.stream, query: address.query) {
            note(refusal, isPublisher ? "publish" : "play", "RTMP", address, access.remoteAddress)
            return .deny(.unauthorized, reason: "\(refusal)")
        }
        if !isPublisher, unknownRTMP == .refuse, isUnknown(address.stream) {
            return .deny(.notFound, reason: "stream \(address.stream) is not published")
        }
        return .allow
    }

    func decide(_ request: MediaHTTPRequest) -> MediaHTTPDecision {
        let address = request.stream.address
        let (wish, form, unknown): (StreamAuthorization.Access, String, UnknownStream) =
            switch request.stream.fileExtension {
            case "ts": (.playHTTPTS, "TS", unknownTS)
            case "mp4": (.playHTTPFMP4, "fMP4", unknownFMP4)
            default: (.playHTTPFLV, "FLV", unknownFLV)
            }
        if let refusal = authorization.refusal(of: wish, stream: address.stream, query: address.query) {
            note(
                refusal,
                "play",
                "\(request.isWebSocket ? "WebSocket" : "HTTP")-\(form)",
                address,
                request.remoteAddress
            )
            return .deny(status: 401, reason: "\(refusal)")
        }
        if unknown == .refuse, isUnknown(address.stream) {
            return .deny(status: 404, reason: "stream \(address.stream) is not published")
        }
        return .allow
    }

    func decide(_ request: HLSRequest, _ asker: HLSService.Asker) -> MediaHTTPDecision {
        if blacklist.contains(asker.host, now: .now()) {
            // As lal; connections that were there before the ban ask here.
            return .deny(status: 404, reason: "requests of this address are not answered for the time being")
        }
        // As lal: who knows the name of a segment has seen a playlist.
        if case .media = request.resource { return .allow }
        if let refusal = authorization.refusal(of: .playHLS, stream: request.stream, query: request.query) {
            let address = StreamAddress(app: "", stream: request.stream, query: request.query)
            note(refusal, "play", "HLS", address, asker.remoteAddress)
            return .deny(status: 401, reason: "\(refusal)")
        }
        return .allow
    }

    /// Somebody may be about to publish it.
    func isExpected(_ stream: String) -> Bool { relays.expects(stream) }

    func decide(_ access: RTSPAccess) -> RTSPAccessDecision {
        let address = access.address
        let isPublisher = access.role == .publisher
        let wish: StreamAuthorization.Access = isPublisher ? .publishRTSP : .playRTSP
        if let refusal = authorization.refusal(of: wish, stream: address.stream, query: address.query) {
            let port = access.isWebSocket ? "RTSP over WebSocket" : "RTSP"
            note(refusal, isPublisher ? "publish" : "play", port, address, access.remoteAddress)
            return .deny(.unauthorized)
        }
        if !isPublisher, unknownRTSP == .refuse, isUnknown(address.stream) { return .deny(.notFound) }
        return .allow
    }

    /// Nobody publishes it, nobody did a moment ago, and no pull would fetch it.
    private func isUnknown(_ stream: String) -> Bool {
        hub.presence(of: stream) == nil && !relays.expects(stream)
    }

    private func note(
        _ refusal: StreamAuthorization.Refusal,
        _ wish: String,
        _ port: String,
        _ address: StreamAddress,
        _ remote: String
    ) {
        // By host: a player that tries again comes from another port each time.
        let host = remote.lastIndex(of: ":").map { remote[..<$0] } ?? remote[...]
        logger.limited(
            limiter,
            key: "\(host) \(wish) \(address.stream)",
            "\(wish) \(address.stream) over \(port) refused: \(refusal)",
            metadata: ["remote": "\(remote)"]
        )
    }
}
