internal import Hub
internal import NIOCore
internal import Streaming
internal import Transport

/// What all relays have in common.
struct RelaySettings: Sendable {
    var options = RelayOptions()
    var firstDelay = TimeAmount.seconds(1)
    var longestDelay = TimeAmount.seconds(30)
    var resetAfter = TimeAmount.seconds(30)
    /// How long an on-demand pull goes on without a viewer.
    var demandLinger = TimeAmount.seconds(5)
    /// Where this gateway itself listens: hosts and ports.
    var ownHosts: Set<String> = []
    var ownPorts: Set<Int> = []
    /// The next session id of a kind.
    var makeSessionID: @Sendable (SessionKind) -> String = { "\($0.rawValue)1" }

    init() {}

    init(_ section: RelaySection) {
        options.timeout = section.timeoutMs == 0 ? nil : .milliseconds(Int64(section.timeoutMs))
        options.silenceTimeout = .milliseconds(Int64(section.silenceMs))
        options.verifiesCertificates = section.verifyCertificates
        firstDelay = .milliseconds(Int64(section.retryMinMs))
        longestDelay = .milliseconds(Int64(section.retryMaxMs))
        resetAfter = .milliseconds(Int64(section.retryResetMs))
        demandLinger = .milliseconds(Int64(section.pullIdleMs))
    }

    /// Whether the URL leads back to this stream of ours.
    func isOwn(_ url: RelayURL, stream: String) -> Bool {
        ownPorts.contains(url.port) && ownHosts.contains(url.host) && url.stream == stream
    }

    func policy(retries: Int = -1, linger: TimeAmount? = nil, endsUnneeded: Bool = false) -> RelayMachine.Policy {
        RelayMachine.Policy(
            retries: retries,
            firstDelay: firstDelay,
            longestDelay: longestDelay,
            resetAfter: resetAfter,
            linger: linger,
            endsUnneeded: endsUnneeded
        )
    }

    func order(
        _ direction: RelayOrder.Direction,
        _ origin: RelayOrder.Origin,
        stream: String,
        app: String,
        url: RelayURL,
        timeout: TimeAmount?? = nil,
        rtspMode: Int = 0,
        policy: RelayMachine.Policy
    ) -> RelayOrder {
        var options = options
        if let timeout { options.timeout = timeout }
        options.rtspTransport = rtspMode == 1 ? .udp : .tcp
        return RelayOrder(
            direction: direction,
            origin: origin,
            stream: stream,
            app: app,
            url: url,
            sessionID: makeSessionID(RelayOrder.kind(direction, url)),
            options: options,
            policy: policy
        )
    }

    func demandPull(_ stream: String, app: String, _ url: RelayURL, rtspMode: Int) -> RelayOrder {
        order(
            .pull,
            .demand,
            stream: stream,
            app: app,
            url: url,
            rtspMode: rtspMode,
            policy: policy(linger: demandLinger)
        )
    }

    func push(_ stream: String, app: String, _ url: RelayURL, rule: Int) -> RelayOrder {
        order(.push, .rule(rule), stream: stream, app: app, url: url, policy: policy(linger: .zero))
    }
}
